"""How much of the source's log lies before a task, and the warning when it is taken away."""

from __future__ import annotations

import re

import pytest

from lab.cdc_server import CdcServer, Task
from lab.waiting import until
from tests.integration.scenario import Scenario, on

OFTEN = "  retentionCheckInterval: 1\n"


def _headroom(task: Task) -> int:
    """Seconds, once the log has been looked at."""

    def known() -> list[int]:
        seconds = task.progress().get("log_headroom_seconds")
        return [] if seconds is None else [int(seconds)]

    return until("the headroom is known", known, 30)[0]


def _metric(server: CdcServer, name: str, task: Task) -> float:
    found = re.search(rf'^{name}{{task_id="{task.task_id}"}} (\S+)$', server.metrics(), re.M)
    assert found, server.metrics()
    return float(found.group(1))


@pytest.mark.core
@on("api")
def test_headroom_is_shown_and_grows(other_server: CdcServer, scenario: Scenario) -> None:
    scenario.cdc = other_server.start(other_server.configuration(extra=OFTEN))
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    task.wait_safe(seeded.last_ts)
    before = _headroom(task)
    until("the checkpoint moves on", lambda: _headroom(task) > before, 30)
    assert _metric(other_server, "milvus_cdc_log_headroom_seconds", task) >= before
    assert _metric(other_server, "milvus_cdc_log_headroom_bytes", task) >= 0
    assert task.get()["health"] == "ok"
    task.pause()
    paused = _headroom(task)
    other_server.restart()
    assert _headroom(task) == pytest.approx(paused, abs=2)  # a paused task's is looked at too


@pytest.mark.logs("kafka", "pulsar")
@on("api")
def test_a_paused_task_warns_when_its_position_is_deleted(
    other_server: CdcServer, scenario: Scenario
) -> None:
    broker = scenario.stack.broker
    assert broker is not None
    scenario.cdc = other_server.start(other_server.configuration(extra=OFTEN))
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    task.wait_safe(seeded.last_ts)
    task.pause()
    seeded.insert(10)
    described = scenario.source.describe("default", seeded.name)
    for channel in described.physical_channel_names:
        broker.truncate(channel)
    seeded.insert(10)
    reason = task.wait_health("warning")
    assert "cannot read" in reason and "oldest message held" in reason
