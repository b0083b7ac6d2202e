"""Servers that die under a running task: it warns, goes on by itself, and loses no row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cdc_server import Task
from lab.comparer import compare_rows
from lab.seeder import Seeded
from lab.stack import Stack
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


def _begin(scenario: Scenario) -> tuple[Task, Seeded, list[int | str]]:
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(50)
    scenario.assert_equal(seeded)
    return task, seeded, keys


@EVERYWHERE
def test_target_down_and_back(scenario: Scenario) -> None:
    task, seeded, keys = _begin(scenario)
    server = scenario.target.server
    server.kill()
    seeded.delete(keys[:10])
    seeded.insert(50)
    reason = task.wait_health("warning")
    assert str(server.port) in reason or "target" in reason, reason
    assert scenario.cdc.healthy()
    server.start()
    task.wait_health("ok")
    scenario.assert_equal(seeded, timeout=90)


@BOTH_MODES
def test_target_restarted_between_writes(scenario: Scenario) -> None:
    task, seeded, _ = _begin(scenario)
    scenario.target.server.restart()
    seeded.insert(50)
    scenario.assert_equal(seeded, timeout=90)
    task.wait_health("ok")


@BOTH_MODES
def test_target_frozen(scenario: Scenario) -> None:
    """It accepts connections and answers nothing, as behind a broken network."""
    task, seeded, keys = _begin(scenario)
    scenario.target.server.process.freeze()
    try:
        seeded.upsert(keys[:20])
        seeded.insert(30)
        task.wait_health("warning", timeout=60)
        assert scenario.cdc.healthy()
    finally:
        scenario.target.server.process.thaw()
    until("it goes on, or ends because its session is lost", lambda: _settled(scenario), 30)
    if not scenario.target.server.process.running:
        scenario.target.server.start()
    task.wait_health("ok")
    scenario.assert_equal(seeded, timeout=90)


def _settled(scenario: Scenario) -> bool:
    """The thawed Milvus answers a query, or has ended itself."""
    running = scenario.target.server.process.running
    return not running or bool(scenario.target.client.databases())


@BOTH_MODES
@pytest.mark.parametrize(
    "hard",
    [pytest.param(False, id="stopped"), pytest.param(True, id="killed", marks=pytest.mark.core)],
)
def test_source_down_and_back(scenario: Scenario, hard: bool) -> None:
    task, seeded, keys = _begin(scenario)
    source = scenario.stack.source
    seeded.insert(40)
    if hard:
        source.kill()
    else:
        source.stop()
    reason = task.wait_health("warning")
    assert "source" in reason or "tick" in reason, reason
    source.start()
    seeded.collection.load(timeout=60)
    seeded.delete(keys[:10])
    seeded.insert(40)
    scenario.assert_equal(seeded, timeout=90)
    task.wait_health("ok")


@BOTH_MODES
def test_etcd_down_and_back(scenario: Scenario) -> None:
    task, seeded, keys = _begin(scenario)
    etcd = scenario.stack.etcd
    etcd.kill()
    reason = task.wait_health("warning")
    assert "etcd" in reason, reason
    etcd.start()
    task.wait_health("ok")
    for server in (scenario.stack.source, scenario.target.server):
        if not server.process.running:  # a Milvus ends itself when its session is lost
            server.start()
    later = scenario.seed("later")
    later.insert(10)
    seeded.delete(keys[:10])
    seeded.insert(40)
    scenario.assert_equal(seeded, later, timeout=90)


@BOTH_MODES
def test_etcd_compacted_while_the_server_was_down(scenario: Scenario) -> None:
    _, seeded, _ = _begin(scenario)
    scenario.cdc.terminate()
    later = scenario.seed("later")
    later.insert(10)
    scenario.stack.etcd.compact()
    scenario.cdc.start()
    seeded.insert(10)
    scenario.assert_equal(seeded, later)


# --- a source of its own, because it does not survive -----------------------------------------


@pytest.fixture
def own(second_ports: int, log: str) -> Iterator[Stack]:
    stack = Stack(second_ports, log=log)
    try:
        yield stack.start(modes=("api",))
    finally:
        stack.stop()


def _replicated(own: Stack) -> tuple[Task, list[Seeded]]:
    target = own.targets["api"]
    own.cdc.start()
    task = own.cdc.create(
        milvus_connect_param=target.connect_param(), db_collections={"default": [{"name": "*"}]}
    )
    all_seeded = [Seeded.create(own.source_client, f"c{i}").index_and_load() for i in range(3)]
    for seeded in all_seeded:
        seeded.insert(20)
        task.wait_safe(seeded.last_ts)
    return task, all_seeded


def _all_there(own: Stack, task: Task, all_seeded: list[Seeded]) -> None:
    target = own.targets["api"]
    for seeded in all_seeded:
        assert target.client.exists("default", seeded.name)
        place = target.place(task, "default", seeded.name)
        if target.client.load_state("default", seeded.name) == "Loaded":
            assert target.client.count("default", place.name) == seeded.rows_alive


@pytest.mark.xdist_group("own")
def test_wiped_etcd_drops_nothing(own: Stack) -> None:
    task, all_seeded = _replicated(own)
    source = own.source_client
    for seeded in all_seeded:
        target_place = own.targets["api"].place(task, "default", seeded.name)
        differing = compare_rows(
            own.targets["api"].place(task, "default", seeded.name),
            target_place,
            seeded.keys(),
        )
        assert not differing and source.exists("default", seeded.name)
    assert own.etcd.delete_prefix("src/meta/") > 0
    reason = task.wait_health("warning")
    assert reason
    _all_there(own, task, all_seeded)
    own.etcd.restart(hard=True)  # the watch is renewed with a fresh list, which is empty
    own.cdc.restart()  # and so does a fresh process
    until("the task complains", lambda: task.get()["health"] != "ok", 60)
    _all_there(own, task, all_seeded)


@pytest.mark.xdist_group("own")
def test_wrong_root_path_after_a_restart_drops_nothing(own: Stack) -> None:
    task, all_seeded = _replicated(own)
    own.cdc.terminate()
    own.cdc.start(own.cdc.configuration(root_path="elsewhere"))
    until("the task complains", lambda: task.get()["health"] != "ok", 60)
    _all_there(own, task, all_seeded)
    own.cdc.terminate()
    own.cdc.start(own.cdc.configuration())
    all_seeded[0].insert(10)
    task.wait_safe(all_seeded[0].last_ts)
    _all_there(own, task, all_seeded)
