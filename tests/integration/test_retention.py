"""How much of the source's log lies before a task, and the warning when it is taken away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.cdc_server import CdcError, CdcServer, Task
from lab.seeder import Seeded
from lab.stack import Stack
from lab.timestamps import before_ms
from lab.waiting import until
from tests.integration.scenario import Scenario, on

OFTEN = "  retentionCheckInterval: 1\n"


def _headroom(task: Task) -> int:
    """Seconds, once the log has been looked at."""

    def known() -> list[int]:
        seconds = task.progress().get("log_headroom_seconds")
        return [] if seconds is None else [int(seconds)]

    return until("the headroom is known", known, 30)[0]


def _bytes(task: Task) -> int:
    return int(task.progress()["log_headroom_bytes"])


def _metric(server: CdcServer, name: str, task: Task) -> float:
    found = re.search(rf'^{name}{{task_id="{task.task_id}"}} (\S+)$', server.metrics(), re.M)
    assert found, server.metrics()
    return float(found.group(1))


def _replicated(
    server: CdcServer, scenario: Scenario, rows: int, **changes: Any
) -> tuple[Task, Seeded]:
    """A task of a server that looks at the log often, and its collection, up to date."""
    scenario.cdc = server.start(server.configuration(extra=OFTEN))
    task = scenario.start_task()
    seeded = scenario.seed(**changes)
    seeded.insert(rows)
    task.wait_safe(seeded.last_ts)
    return task, seeded


@pytest.mark.core
@on("api")
def test_headroom_is_shown_and_grows(other_server: CdcServer, scenario: Scenario) -> None:
    task, seeded = _replicated(other_server, scenario, 10)
    before = _headroom(task)
    until("the checkpoint moves on", lambda: _headroom(task) > before, 30)
    assert _metric(other_server, "milvus_cdc_log_headroom_seconds", task) >= before
    until("the log before it is measured", lambda: _bytes(task) > 0, 30)
    assert _metric(other_server, "milvus_cdc_log_headroom_bytes", task) > 0
    assert task.get()["health"] == "ok"
    task.pause()
    paused = _headroom(task)
    other_server.restart()
    assert _headroom(task) == pytest.approx(paused, abs=2)  # a paused task's is looked at too


@pytest.mark.slow  # a task that is 30 s behind is not worth a word
@pytest.mark.logs("kafka", "pulsar")
@on("api")
def test_a_paused_task_warns_when_the_log_is_deleted_up_to_it(
    other_server: CdcServer, scenario: Scenario
) -> None:
    broker = scenario.stack.broker
    assert broker is not None
    task, seeded = _replicated(other_server, scenario, 100, shards=1)
    _headroom(task)  # it is known where the log began
    (channel,) = seeded.channels
    delete = broker.cut(channel)
    keys = seeded.insert(10)
    task.wait_safe(seeded.last_ts)
    task.pause()
    seeded.delete(keys[:5])
    until("the log before it is measured", lambda: _bytes(task) > 0, 30)
    whole = _bytes(task)
    delete()
    until("less of the log is left", lambda: _bytes(task) < whole, 30)
    reason = task.wait_health("warning")
    assert f"channel {channel}: the source's log deletes what is old, and only " in reason
    task.resume()  # nothing is lost yet
    task.wait_health("ok")
    scenario.assert_equal(seeded)


@pytest.fixture
def short_lived(request: pytest.FixtureRequest, second_ports: int, log: str) -> Iterator[Stack]:
    """A source whose RocksMQ keeps a minute, which is as little as it can, in pages of 2 s."""
    stack = Stack(second_ports, log=log)
    stack.source.extra_env |= {
        "ROCKSMQ_RETENTIONTIMEINMINUTES": "1",
        "ROCKSMQ_TIMTICKERINTERVAL": "2",  # seconds between two looks, so spelled there
        "ROCKSMQ_ROCKSMQPAGESIZE": "1024",
    }
    try:
        yield stack.start(modes=("api",))
    finally:
        stack.stop(keep_data=request.session.testsfailed > 0)


@pytest.mark.slow  # minutes of retention
@pytest.mark.logs("rocksmq")
@pytest.mark.xdist_group("own")
def test_a_rocksmq_that_deletes_warns_first_and_then_says_what_is_gone(short_lived: Stack) -> None:
    own = short_lived
    own.cdc.start(own.cdc.configuration(extra=OFTEN))
    scenario = Scenario(own, own.targets["api"], "own")
    task = scenario.start_task()
    seeded = scenario.seed(shards=1)
    seeded.insert(100)
    scenario.assert_equal(seeded)
    first = _headroom(task)
    (channel,) = seeded.channels
    until("the checkpoint moves on", lambda: _headroom(task) > max(first, 20), 60)
    until("the log is deleted behind it", lambda: _shrinks(task), 180)
    task.pause()
    seeded.insert(10)
    reason = task.wait_health("warning", 180)
    assert f"channel {channel}: the source's log deletes what is old, and only " in reason
    task.wait_complaint("cannot read", 180)
    with pytest.raises(CdcError, match="oldest message held"):
        task.resume()


def _shrinks(task: Task) -> bool:
    before = _bytes(task)
    until("it was looked at again", lambda: _bytes(task) != before, 30)
    return _bytes(task) < before


@pytest.mark.logs("kafka", "pulsar")
@on("api")
def test_a_paused_task_warns_when_its_position_is_deleted(
    other_server: CdcServer, scenario: Scenario
) -> None:
    task, seeded = _replicated(other_server, scenario, 10)
    task.pause()
    seeded.insert(10)
    scenario.truncate_log(seeded)
    seeded.insert(10)
    reason = task.wait_health("warning")
    assert "cannot read" in reason and "oldest message held" in reason


@pytest.mark.logs("kafka", "pulsar")
@on("api")
def test_a_task_set_back_does_not_begin_behind_what_is_deleted(
    other_server: CdcServer, scenario: Scenario
) -> None:
    """The log reached that far when it was set back, and no longer when it is resumed."""
    task, seeded = _replicated(other_server, scenario, 10)
    before = before_ms()
    seeded.insert(10)
    task.wait_safe(seeded.last_ts)
    task.pause()
    task.rewind(before)
    scenario.truncate_log(seeded)
    with pytest.raises(CdcError, match="what was written in between cannot be repeated"):
        task.resume()
    assert task.get()["health"] == "failed"
