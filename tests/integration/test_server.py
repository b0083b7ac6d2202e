"""The HTTP interface beside /cdc: health and metrics."""

from __future__ import annotations

import re
import time

import pytest

from lab.seeder import DIM
from lab.waiting import until
from tests.integration.scenario import Scenario


def _metric(text: str, name: str, task_id: str, label: str = "") -> float:
    """The value of the metric of this task; -1 if it is not published."""
    for line in text.splitlines():
        match = re.match(r"^([a-zA-Z_:]+)\{(.*)\} (\S+)$", line)
        if match and match.group(1) == name and task_id in match.group(2) and label in line:
            return float(match.group(3))
    return -1.0


@pytest.mark.xdist_group("replicate")
def test_metrics_per_task(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.delete(seeded.insert(123)[:23])
    scenario.assert_equal(seeded)

    def published() -> bool:
        text = scenario.cdc.metrics()

        def metric(name: str, label: str = "") -> float:
            return _metric(text, f"milvus_cdc_{name}", task.task_id, label)

        assert metric("replicate_data_cnt", 'api_type="insert"') == 123
        assert metric("replicate_data_cnt", 'api_type="delete"') == 23
        assert metric("replicate_data_size") > 123 * DIM * 4
        assert metric("api_execute_total") > 0
        assert 0 <= metric("task_lag_seconds") < 60
        assert abs(metric("task_safe_time_seconds") - time.time()) < 60
        return True

    until("the metrics of the task", published, 10)
    task.delete()

    def removed() -> bool:
        return task.task_id not in scenario.cdc.metrics()

    until("the metrics go with the task", removed, 10)


@pytest.mark.xdist_group("replicate")
def test_health(scenario: Scenario) -> None:
    assert scenario.cdc.healthy()
