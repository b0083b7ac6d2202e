"""A paused task is set back: what was written since is replicated once more and changes nothing
that was right."""

from __future__ import annotations

import pytest

from lab.cdc_server import CdcError
from lab.timestamps import before_ms
from tests.integration.scenario import BOTH_MODES, Scenario, on


@pytest.mark.core
@BOTH_MODES
def test_what_is_right_stays_as_it_is(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    before = before_ms()
    more = seeded.insert(40)
    seeded.delete(more[:10])
    seeded.upsert(keys[:10])
    scenario.assert_equal(seeded)
    task.pause()
    task.rewind(before)
    task.resume()
    seeded.insert(5)
    scenario.assert_equal(seeded)
    assert task.progress()["rows_replayed"] >= 50


@on("api")
def test_repairs_a_target_that_lost_rows(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    before = before_ms()
    keys = seeded.insert(40)
    scenario.assert_equal(seeded)
    there = scenario.target.client.collection("default", seeded.name)
    there.delete(f"id in {keys[:15]}")
    task.pause()
    task.rewind(before)
    task.resume()
    scenario.assert_equal(seeded)


@on("api")
def test_refusals(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(3)
    scenario.assert_equal(seeded)
    with pytest.raises(CdcError, match="pause it before"):
        task.rewind(before_ms() - 1000)
    task.pause()
    with pytest.raises(CdcError, match="has not come that far"):
        task.rewind(before_ms() + 60_000)
    with pytest.raises(CdcError, match="begins at"):
        task.rewind(1_600_000_000_000)
    task.resume()
    seeded.insert(3)
    scenario.assert_equal(seeded)
