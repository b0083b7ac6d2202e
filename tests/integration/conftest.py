"""Fixtures of the end-to-end tests: one set of real servers per run, one scenario per test."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from lab import planted
from lab.cdc_server import CdcServer, look_for_secrets
from lab.gate import Gate
from lab.places import cdc_binary
from lab.stack import BASE_PORT, Stack, Target
from tests.integration.scenario import Scenario

PORTS_PER_WORKER = 150  # a stack takes 50, a test's second stack is 100 above it

_numbers = itertools.count(1)


def _worker() -> int:
    """The number of this worker process of the run."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _base_port() -> int:
    return BASE_PORT + PORTS_PER_WORKER * _worker()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers the outcome for the fixtures, and shows what the servers say with a failure."""
    report = yield
    setattr(item, f"_{report.when}", report)
    scenario = getattr(item, "funcargs", {}).get("scenario")
    if report.failed and isinstance(scenario, Scenario):
        report.sections += scenario.what_the_servers_say()
    return report


def _assert_no_secret() -> None:
    look_for_secrets()
    found = planted.take_found()
    assert not found, "\n".join(["a secret came out:", *found])


@pytest.fixture(scope="session", autouse=True)
def no_secret_at_the_end() -> Iterator[None]:
    """In what the servers that many tests share said when they were ended."""
    yield
    _assert_no_secret()


@pytest.fixture(autouse=True)
def no_secret() -> Iterator[None]:
    """In what any milvus-cdc said during a test. Made before what the test asks for, so that it
    comes after all of that has been torn down."""
    yield
    _assert_no_secret()


@pytest.fixture(scope="session")
def log(request: pytest.FixtureRequest) -> str:
    """Where the source of this test writes its log: rocksmq, kafka or pulsar."""
    return str(request.param)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, log: str) -> Iterator[Stack]:
    if not cdc_binary().is_file():
        pytest.fail(f"{cdc_binary()} is missing: run ./x build first", pytrace=False)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # ends the run through the fixtures
    stack = Stack(_base_port(), log=log)
    try:
        stack.start(modes=())
        stack.cdc.start()
        yield stack
    finally:
        failed = request.session.testsfailed > 0
        stack.stop(keep_data=failed)
        if failed:
            print(f"\nlogs of all servers are kept in {stack.data}")


@pytest.fixture(scope="session")
def second_ports() -> int:
    """Where a test's own stack begins, beside the one that all share."""
    return _base_port() + 100


@pytest.fixture(scope="module")
def spare_ports() -> int:
    """Where the ports of a file's own broker begin; a stack's end there."""
    return _base_port() + 60


@pytest.fixture
def other_server(stack: Stack, tmp_path: Path) -> Iterator[CdcServer]:
    """A milvus-cdc of this test's own, beside the one that all share; not started."""
    server = CdcServer(tmp_path / "cdc", stack.source, stack.base_port + 3)
    yield server
    server.kill()


@pytest.fixture
def target(request: pytest.FixtureRequest, stack: Stack) -> Target:
    """The target server of this test; tests name the modes with `on(...)`."""
    mode = getattr(request, "param", "replicate")
    return stack.target(mode)


@pytest.fixture
def scenario(request: pytest.FixtureRequest, stack: Stack, target: Target) -> Iterator[Scenario]:
    """A name space of its own, a running milvus-cdc, and all cleaned up behind the test."""
    broker = [stack.broker] if stack.broker else []
    for server in (*broker, stack.etcd, stack.source, target.server, stack.cdc):
        if not server.process.running:  # a test before may have left it dead
            server.start()
    scenario = Scenario(stack, target, f"t{next(_numbers)}")
    yield scenario
    report = getattr(request.node, "_call", None)
    scenario.clean_up(wait=report is not None and report.passed)


@pytest.fixture
def etcd_gate(scenario: Scenario) -> Iterator[Gate]:
    """The way of a test's own milvus-cdc to etcd."""
    gate = Gate(scenario.stack.base_port + 45, scenario.stack.etcd.port)
    yield gate
    gate.close()
