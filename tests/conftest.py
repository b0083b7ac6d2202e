"""What all Python tests share: the two tiers, the three logs of a source, the reports of --full.

Every test that has a source runs on RocksMQ, on Kafka and on Pulsar: all of them with --full, which
./x calls for one log after the other (three brokers at once are too much for a small machine), and
without it on RocksMQ those that are not slow, on the brokers and into milvus-lite those marked
`core`. `core` is the main job: create, drop, rename, rows of every kind of insert, delete and
upsert, partitions, indexes, load, flush, databases, aliases, restart of everything with kill -9;
one test of each, in one mode for each broker: the source's log and the target's mode never meet in
the pipeline.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from lab.stack import LOGS

REPORTS = Path(__file__).resolve().parent.parent / "docs" / "operations"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the slow tests too, write a report")
    parser.addoption(
        "--log", choices=LOGS, help="only the tests of this log; a --full of it writes a report"
    )


# Tests of one kind of target and one log share servers. The files that restart servers get a second
# set, and those that are large or slow a third, so that the workers end about together.
SETS = {
    "brokers": ("test_brokers.py",),
    "second": ("test_lifecycle.py", "test_load.py", "test_trouble.py"),
    "third": ("test_clock.py", "test_many.py", "test_sizes.py", "test_store.py"),
}
# A worker takes a group as a whole and the groups in this order, so that no long one is left for
# the end (./x gives --no-loadscope-reorder, or they would go by the number of their tests).
LONGEST = ("replicate", "api", "own", "chaos", "api_second", "replicate_second", "lite", "formats")


CORE_MODE = {"kafka": "api", "pulsar": "replicate"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "log" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("logs")
        logs = marked.args if marked else LOGS
        metafunc.parametrize("log", logs, indirect=True, scope="session")


def _value(item: pytest.Item, name: str) -> str:
    """The parameter of this name that the test runs with; for the log RocksMQ by default."""
    callspec = getattr(item, "callspec", None)
    default = "rocksmq" if name == "log" else ""
    return str(callspec.params.get(name, default)) if callspec else default


def _in_first_tier(item: pytest.Item) -> bool:
    if "slow" in item.keywords:
        return False
    mode = _value(item, "target")
    if _value(item, "log") == "rocksmq" or item.get_closest_marker("logs"):
        return mode != "lite" or "core" in item.keywords
    return "core" in item.keywords and mode in ("", CORE_MODE[_value(item, "log")])


def _group(item: pytest.Item, full: bool) -> None:
    """Names the servers that the test shares: one worker process runs all tests of one name."""
    log = _value(item, "log")
    groups = _groups(item)
    shared = bool(groups & {"replicate", "api"})
    for name, files in SETS.items():
        whole = full or log == "rocksmq" or name == "brokers"  # the core is too few to be split
        if shared and whole and item.path.name in files:
            item.add_marker(pytest.mark.xdist_group(name))
    item.add_marker(pytest.mark.xdist_group(log))
    if "slow" in item.keywords and "own" in _groups(item):  # nothing that others of it could share
        item.add_marker(pytest.mark.xdist_group(item.name))


def _groups(item: pytest.Item) -> set[str]:
    return {mark.args[0] for mark in item.iter_markers("xdist_group")}


def _rank(item: pytest.Item) -> int:
    groups = _groups(item)
    if "slow" in item.keywords and "own" in groups:  # ten minutes, most of them idle
        return -1
    name = "_".join(sorted(groups - set(LOGS)))
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    full = bool(config.getoption("--full"))
    only = config.getoption("--log")
    chosen = str(config.getoption("-k"))
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        named = _value(item, "log") in chosen or (chosen and _value(item, "log") == "rocksmq")
        wanted = full or named or _in_first_tier(item)
        wanted = wanted and only in (None, _value(item, "log"))
        (kept if wanted else left_out).append(item)
        _group(item, full)
    items[:] = kept
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    _leave_out(config, items)
    yield  # pytest puts together what shares a log
    items.sort(key=_rank)


_results: list[tuple[str, str, float]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _results.append((report.nodeid, report.outcome, report.duration))


def _write_report(log: str, seconds: float) -> None:
    passed = sum(outcome == "passed" for _, outcome, _ in _results)
    failed = sum(outcome == "failed" for _, outcome, _ in _results)
    skipped = len(_results) - passed - failed
    lines = [
        f"# Report of the last `./x test --full` on {log}",
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
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"test-report-{log}.md").write_text("\n".join(lines) + "\n")


_began = time.monotonic()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the report after a whole --full of a log, in the process that has all results."""
    config = session.config
    in_worker = hasattr(config, "workerinput")
    partial = config.getoption("keyword") or config.getoption("collectonly")
    log = config.getoption("--log")
    if config.getoption("--full") and log and not in_worker and not partial:
        _write_report(log, time.monotonic() - _began)
