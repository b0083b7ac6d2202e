"""What all Python tests share: the two tiers, and the report of --full."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

REPORT = Path(__file__).resolve().parent.parent / "docs" / "operations" / "test-report.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the slow tests too, write a report")


# Tests of one kind of target share its servers. The files that restart servers get a second set,
# and those that are large or slow a third, so that the workers end about together.
SETS = {
    "second": ("test_lifecycle.py", "test_load.py", "test_trouble.py"),
    "third": ("test_clock.py", "test_many.py", "test_sizes.py", "test_store.py"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everything = config.getoption("--full") or config.getoption("-k")
    skip = pytest.mark.skip(reason="slow: runs with ./x test --full")
    for item in items:
        if "slow" in item.keywords and not everything:
            item.add_marker(skip)
        groups = {mark.args[0] for mark in item.iter_markers("xdist_group")}
        for name, files in SETS.items():
            if item.path.name in files and groups & {"replicate", "api"}:
                item.add_marker(pytest.mark.xdist_group(name))


_results: list[tuple[str, str, float]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        _results.append((report.nodeid, report.outcome, report.duration))


def _write_report(seconds: float) -> None:
    passed = sum(outcome == "passed" for _, outcome, _ in _results)
    failed = sum(outcome == "failed" for _, outcome, _ in _results)
    skipped = len(_results) - passed - failed
    lines = [
        "# Report of the last `./x test --full`",
        "",
        f"{passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s, "
        f"{time.strftime('%Y-%m-%d')}. Written by the run itself; do not edit.",
        "",
        "| test | result | seconds |",
        "|---|---|---|",
    ]
    for name, outcome, duration in _results:
        short = name.removeprefix("tests/integration/").partition("@")[0]
        lines.append(f"| {short} | {outcome} | {duration:.1f} |")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines) + "\n")


_began = time.monotonic()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the report after a whole run of --full, in the process that has all results."""
    config = session.config
    in_worker = hasattr(config, "workerinput")
    partial = config.getoption("keyword") or config.getoption("collectonly")
    if config.getoption("--full") and not in_worker and not partial:
        _write_report(time.monotonic() - _began)
