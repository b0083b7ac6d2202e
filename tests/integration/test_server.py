"""The HTTP interface beside /cdc: health and metrics."""

from __future__ import annotations

import re

import pytest

from lab.waiting import until
from tests.integration.scenario import Scenario


def _values(metrics: str, task_id: str, word: str) -> list[float]:
    """The values of all metrics of this task whose name contains `word`."""
    found = []
    for line in metrics.splitlines():
        match = re.match(r"^([a-zA-Z_:]+)\{(.*)\} (\S+)$", line)
        if match and word in match.group(1) and task_id in match.group(2):
            found.append(float(match.group(3)))
    return found


@pytest.mark.xdist_group("replicate")
def test_metrics_per_task(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(123)
    scenario.assert_equal(seeded)

    def published() -> bool:
        text = scenario.cdc.metrics()
        assert any(v >= 123 for v in _values(text, task.task_id, "rows")), text
        for word in ("bytes", "calls"):
            assert any(v > 0 for v in _values(text, task.task_id, word)), word
        assert _values(text, task.task_id, "lag")
        assert any(v > 1e9 for v in _values(text, task.task_id, "safe")), "safe time"
        return True

    until("the metrics of the task", published, 10)
    task.delete()

    def removed() -> bool:
        return task.task_id not in scenario.cdc.metrics()

    until("the metrics go with the task", removed, 10)


@pytest.mark.xdist_group("replicate")
def test_health(scenario: Scenario) -> None:
    assert scenario.cdc.healthy()
