"""Ten thousand collections, of which only the keys are there; many rows behind one that waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.bulk import Bulk
from lab.cdc_server import CdcServer, Task
from lab.comparer import compare_by_scan
from lab.synthetic import copy_collection
from lab.timestamps import now_ts
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, Scenario, on

COLLECTIONS = 10_000
STANDING_ROWS = 16 * 1024  # of 4 KiB: more than what a target's channels hold in memory


@pytest.fixture
def many(scenario: Scenario, other_server: CdcServer) -> Iterator[CdcServer]:
    yield other_server
    other_server.kill()
    scenario.stack.etcd.delete_prefix("many/")


def _wait_for_all(task: Task) -> None:
    until(
        "all collections are replicated",
        lambda: len(task.progress()["collections"]) == COLLECTIONS,
        120,
    )
    task.wait_safe(now_ts(), 120)
    task.wait_health("ok")


@on("api")
def test_ten_thousand_collections(scenario: Scenario, many: CdcServer) -> None:
    etcd = scenario.stack.etcd
    original = scenario.seed(shards=4)  # on all channels, so that they tick
    described = scenario.source.describe("default", original.name)
    copy_collection(etcd, "src", "many", described.collectionID, COLLECTIONS)
    many.start(many.configuration(root_path="many"))
    task = many.create(blackhole_connect_param={}, db_collections={"*": [{"name": "*"}]})
    _wait_for_all(task)
    print(f"\nresident: {many.process.memory_mb():.0f} MB")
    many.restart(hard=True)
    _wait_for_all(task)


@BOTH_MODES
def test_a_channel_that_stands_still_holds_up_no_other(scenario: Scenario) -> None:
    """More rows than the quota holds stand behind one whose partition the target does not have."""
    connect = {**scenario.target.connect_param(), "ignore_partition": True}
    task = scenario.start_task(milvus_connect_param=connect)
    held, *others = (
        Bulk(scenario.source, "default", scenario.name(name), dim=dim).create(shards=1)
        for name, dim in (("held", 1024), ("b", 8), ("c", 8), ("d", 8))
    )
    free = [bulk for bulk in others if _channel(bulk) != _channel(held)]
    assert free, "all collections are on one channel"
    for bulk in (held, *free):
        bulk.insert(0, 10)
        task.wait_safe(bulk.last_ts)
    held.collection.create_partition("p")
    held.insert(10, 10, partition="p")
    assert "has no partition p on the target" in task.wait_complaint("ignore_partition")
    for first in range(20, 20 + STANDING_ROWS, 1024):
        held.insert(first, 1024)
    for _ in range(5):
        for bulk in free:
            bulk.insert(len(bulk.alive), 100)
        for bulk in free:
            _wait_until_equal(scenario, bulk)
    assert _rows_on_target(scenario, held) == 10, "nothing stood still"
    scenario.target.client.collection("default", held.name).create_partition("p")
    task.wait_safe(held.last_ts, 120)
    for bulk in (held, *free):
        _wait_until_equal(scenario, bulk)
    scenario.assert_healthy()


def _channel(bulk: Bulk) -> str:
    (channel,) = bulk.client.describe(bulk.db, bulk.name).physical_channel_names
    return str(channel)


def _rows_on_target(scenario: Scenario, bulk: Bulk) -> int:
    """Those that are readable: a standby's clock stands still where its channel does."""
    return scenario.target.client.count(bulk.db, bulk.name, at=1)


def _wait_until_equal(scenario: Scenario, bulk: Bulk) -> None:
    """Without the safe time, which is that of the channel that stands still."""

    def equal() -> bool:
        assert _rows_on_target(scenario, bulk) == len(bulk.alive)
        there = scenario.target_place_of(bulk.db, bulk.name)
        source = scenario.source_place_of(bulk.db, bulk.name)
        differences = compare_by_scan(source, there, scenario.target.traits)
        assert not differences, differences
        return True

    until(f"{bulk.name} is equal", equal, 60)
