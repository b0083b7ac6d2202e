"""Things as large and as many as Milvus allows, and a target that stands still for long."""

from __future__ import annotations

import time

import pytest
from pymilvus import DataType, FieldSchema

from lab.bulk import Bulk
from lab.comparer import Place, compare_by_scan
from lab.stack import Stack, Target
from tests.integration.scenario import BOTH_MODES, QUOTA_MB, Scenario

RESIDENT_LIMIT_MB = QUOTA_MB * 1.2


@BOTH_MODES
def test_messages_of_five_megabytes(scenario: Scenario) -> None:
    """128 KiB a row; Milvus cuts an insert into messages of less than 5 MiB."""
    scenario.start_task()
    seeded = scenario.seed(dim=32_768, fields=[], shards=1)
    keys = seeded.insert(120)
    seeded.upsert(keys[:40])
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_sixty_four_fields(scenario: Scenario) -> None:
    scenario.start_task()
    kinds = [DataType.INT64, DataType.DOUBLE, DataType.BOOL, DataType.JSON]
    fields = [FieldSchema(f"field_{i}", kinds[i % len(kinds)]) for i in range(62)]
    seeded = scenario.seed(fields=fields)
    keys = seeded.insert(40)
    seeded.upsert(keys[:10])
    seeded.delete(keys[10:20])
    scenario.assert_equal(seeded)


@pytest.mark.slow
@BOTH_MODES
def test_a_thousand_partitions(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    for number in range(1_000):
        seeded.collection.create_partition(f"p{number:03}")
    seeded.index_and_load()
    for number in range(0, 1_000, 50):
        seeded.insert(5, partition=f"p{number:03}")
    scenario.assert_equal(seeded, timeout=300)
    scenario.cdc.restart(hard=True)
    seeded.insert(5, partition="p777")
    scenario.assert_equal(seeded, timeout=120)


def _frozen(stack: Stack, target: Target, seconds: float) -> None:
    """The source takes twice the quota of rows while the target stands still."""
    stack.cdc.start()
    task = stack.cdc.create(
        milvus_connect_param=target.connect_param(), db_collections={"default": [{"name": "*"}]}
    )
    many = Bulk(stack.source_client, "default", "many", dim=1024).create()
    few = Bulk(stack.source_client, "default", "few", dim=8).create()
    few.insert(0, 10)
    task.wait_safe(few.last_ts)
    target.server.process.freeze()
    began = time.monotonic()
    rows = 2 * QUOTA_MB * 1024 // 4
    for first in range(0, rows, 1024):
        many.insert(first, 1024)
        time.sleep(max(0.0, began + seconds * first / rows - time.monotonic()))  # paces the load
    few.insert(10, 10)
    many.delete(list(range(500)))
    task.wait_health("warning")
    target.server.process.thaw()
    for bulk in (many, few):
        task.wait_safe(bulk.last_ts, timeout=300)
    memory = stack.cdc.process.memory_mb("VmHWM")
    for bulk in (many, few):
        source = Place(stack.source_client, bulk.db, bulk.name)
        there = target.place(task, bulk.db, bulk.name)
        assert source.client.count(bulk.db, bulk.name) == len(bulk.alive)
        assert not compare_by_scan(source, there, target.traits)
    print(f"\nhighest resident memory of milvus-cdc: {memory:.0f} MB")
    assert memory < RESIDENT_LIMIT_MB, f"{memory:.0f} MB resident at the highest"


@pytest.mark.xdist_group("own")
@pytest.mark.parametrize(
    ("seconds", "mode"),
    [
        pytest.param(0, "api", id="at_once-api"),
        pytest.param(0, "replicate", id="at_once-replicate", marks=pytest.mark.slow),
        pytest.param(600, "api", id="ten_minutes-api", marks=pytest.mark.slow),
        pytest.param(600, "replicate", id="ten_minutes-replicate", marks=pytest.mark.slow),
    ],
)
def test_frozen_target_under_load(second_ports: int, log: str, mode: str, seconds: int) -> None:
    """Memory stays within the quota, reading pauses, and then everything drains."""
    own = Stack(second_ports, session_ttl=900, log=log)  # longer than the target is frozen
    try:
        own.start(modes=(mode,))
        _frozen(own, own.targets[mode], seconds)
    finally:
        own.stop()
