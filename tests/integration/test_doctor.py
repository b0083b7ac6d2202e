"""What is wrong is named by `milvus-cdc doctor` and by POST /api/v1/preflight, on real servers; and
a task that is created all the same is refused, or says what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab import planted
from lab.access import AUTHORIZATION
from lab.cdc_server import CdcError, CdcServer, Task
from lab.command_line import CommandLine
from lab.milvus import Milvus
from lab.stack import Stack
from tests.integration.misconfigured import ON_API, ON_STANDBY, Case, Request, World
from tests.integration.scenario import Scenario, on

pytestmark = pytest.mark.logs("rocksmq")

Findings = list[dict[str, str]]


@pytest.fixture(scope="module")
def guarded(
    stack: Stack, second_ports: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Milvus]:
    """A target that asks for a password."""
    folder = tmp_path_factory.mktemp("guarded")
    server = Milvus("guarded", folder, stack.etcd, second_ports, extra_env=AUTHORIZATION)
    try:
        yield server.start()
    finally:
        server.kill()
        stack.etcd.delete_prefix("guarded/")


@pytest.fixture
def world(
    request: pytest.FixtureRequest, scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> Iterator[World]:
    seeded = scenario.seed(load=False)
    with contextlib.ExitStack() as undo:
        yield World(scenario, other_server, tmp_path, seeded, request.getfixturevalue, undo)


def _doctor(server: CdcServer, request: Request) -> tuple[int, dict[str, Any]]:
    cli = CommandLine(server.url)
    config = ["--config", str(server.config)]
    done = subprocess.run(
        [*server.wrapper, *cli.command("doctor", *config, "--file", "-", "--json")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=cli.environment,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    planted.look("what doctor prints", done.stdout + done.stderr)
    return done.returncode, json.loads(done.stdout)


def _preflight(server: CdcServer, request: Request) -> dict[str, Any]:
    reply = server.call("POST", "/api/v1/preflight", request)
    assert reply.status == 200, reply
    answer: dict[str, Any] = reply.json()
    return answer


def _bad(answer: dict[str, Any]) -> Findings:
    """What is not well; `ok` says whether there is an error among it."""
    findings: Findings = answer["findings"]
    assert answer["ok"] == all(finding["severity"] != "error" for finding in findings), answer
    return [finding for finding in findings if finding["severity"] != "ok"]


def _assert_named(case: Case, answer: dict[str, Any]) -> None:
    bad = _bad(answer)
    named = [f for f in bad if f["check"] == case.check and case.words in f["what"]]
    assert named, answer
    assert named[0]["severity"] == ("warning" if case.works else "error"), named
    assert all(finding["what_to_do"] for finding in bad), bad
    # A second may be too short for a source on a busy machine.
    others = {finding["check"] for finding in bad} - {case.check, "source.ticking", *case.beside}
    assert not others, bad


def _assert_not_well(task: Task, reason: str) -> None:
    """No list of tasks shows it as one that runs, and for this reason."""
    reply = task.server.call("GET", f"/api/v1/tasks/{task.task_id}")
    shown = reply.json()
    assert shown["state"] in ("warning", "failed"), shown
    assert shown["health"]["status"] == shown["state"], shown
    assert reason in shown["health"]["reason"], shown


def _assert_fails(case: Case, world: World, request: Request) -> None:
    """No task comes of it; or one that says why it copies nothing."""
    reason = case.created or case.words
    before = world.server.tasks()
    try:
        task = world.server.create(**request)
    except CdcError as refused:
        assert reason in refused.message, refused
        ids = [[task["task_id"] for task in tasks] for tasks in (before, world.server.tasks())]
        assert ids[0] == ids[1]
        return
    task.wait_complaint(reason)
    _assert_not_well(task, reason)
    task.delete()


def _assert_works(case: Case, world: World, request: Request) -> None:
    """A row that is written afterwards arrives."""
    task = world.server.create(**request)
    assert request.get("task_id", task.task_id) == task.task_id
    world.scenario.task = task
    if world.server is world.scenario.cdc:
        world.scenario.take_over(task.task_id)  # drops go through it at the end
    if case.later:
        task.wait_complaint("selects no collection")
        _assert_not_well(task, "selects no collection")
        world.seeded = world.scenario.seed(case.later, load=False)
    world.seeded.index_and_load()
    world.seeded.insert(10)
    world.scenario.assert_equal(world.seeded)
    task.wait_health("ok")
    assert task.get()["state"] == "Running"


def _run(case: Case, world: World) -> None:
    request = case.plant(world)
    with ThreadPoolExecutor() as both:
        asked = both.submit(_preflight, world.server, request)
        if case.known_to_doctor:
            code, told = _doctor(world.server, request)
            assert (code == 0) == told["ok"], told
            _assert_named(case, told)
        _assert_named(case, asked.result())
    (_assert_works if case.works else _assert_fails)(case, world, request)
    assert world.server.healthy()


def _name(case: Case) -> str:
    return case.name


@on("api")
@pytest.mark.parametrize("case", ON_API, ids=_name)
def test_is_named(world: World, case: Case) -> None:
    _run(case, world)


@on("replicate")
@pytest.mark.parametrize("case", ON_STANDBY, ids=_name)
def test_is_named_beside_a_standby(world: World, case: Case) -> None:
    _run(case, world)


@on("replicate", "api")
def test_what_is_right_is_not_blamed(world: World) -> None:
    request = world.request()
    for answer in (_preflight(world.server, request), _doctor(world.server, request)[1]):
        assert {finding["check"] for finding in _bad(answer)} <= {"source.ticking"}, answer
        seen = {finding["check"] for finding in answer["findings"]}
        assert seen >= {"source.metadata", "source.channels", "target.mode", "target.names"}
    assert not world.scenario.target.client.exists("default", world.seeded.name)
    task = world.scenario.start_task()
    world.seeded.index_and_load()
    world.seeded.insert(10)
    task.wait_safe(world.seeded.last_ts)
    world.scenario.assert_equal(world.seeded)
