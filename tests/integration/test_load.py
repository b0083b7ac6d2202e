"""100,000 rows of 128 floats in 8 collections of 2 shards in 2 databases, also with kill -9."""

from __future__ import annotations

import pytest

from lab.bulk import Bulk, BulkWriter
from lab.comparer import Place, Traits, compare_by_scan, compare_objects
from lab.waiting import until
from tests.integration.scenario import Scenario, on

COLLECTIONS = 8
ROWS = 100_000 // COLLECTIONS
CHANGED = 10_000 // COLLECTIONS
BATCH = 1_250
MEMORY_LIMIT_MB = 300


def _wait_objects_equal(source: Place, target: Place, traits: Traits) -> None:
    until("the objects are equal", lambda: not compare_objects(source, target, traits))


def _run(scenario: Scenario, kill: bool) -> None:
    task = scenario.start_task()
    databases = ["default", scenario.database("db")]
    all_bulk = [
        Bulk(scenario.source, databases[i % 2], scenario.name(f"c{i}"), seed=1000 * i).create()
        for i in range(COLLECTIONS)
    ]
    writer = BulkWriter(all_bulk, ROWS, BATCH, CHANGED)
    writer.start()
    if kill:
        for wanted in (2, 5):
            writer.wait_for_round(wanted)
            scenario.cdc.restart(hard=True)
    writer.finish()
    for bulk in all_bulk:
        task.wait_safe(bulk.last_ts, timeout=180)
    memory = scenario.cdc.process.memory_mb("VmHWM")
    for bulk in all_bulk:
        place = scenario.target_place_of(bulk.db, bulk.name)
        source = scenario.source_place_of(bulk.db, bulk.name)
        assert source.client.count(bulk.db, bulk.name) == len(bulk.alive) == ROWS - CHANGED
        _wait_objects_equal(source, place, scenario.target.traits)
        differences = compare_by_scan(source, place, scenario.target.traits)
        assert not differences, "\n".join(differences)
    assert memory < MEMORY_LIMIT_MB, f"{memory:.0f} MB resident at the highest"
    print(f"\nhighest resident memory of milvus-cdc: {memory:.0f} MB")


@on("replicate")
def test_with_kill_9_in_the_middle(scenario: Scenario) -> None:
    _run(scenario, kill=True)


@on("api")
def test_undisturbed(scenario: Scenario) -> None:
    _run(scenario, kill=False)


@pytest.mark.slow
@on("api")
def test_with_kill_9_in_the_middle_by_plain_calls(scenario: Scenario) -> None:
    _run(scenario, kill=True)


@pytest.mark.slow
@on("replicate")
def test_undisturbed_on_a_standby(scenario: Scenario) -> None:
    _run(scenario, kill=False)
