"""Keys: int64 and varchar, odd ones, auto-id, partition key, one key in two partitions."""

from __future__ import annotations

import pytest
from pymilvus import DataType, FieldSchema

from lab.client import EVENTUALLY
from lab.seeder import odd_keys
from lab.timestamps import before_ms, write_ts
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_varchar_keys_with_any_character(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(key="varchar")
    keys = odd_keys(120, seed=5)
    seeded.insert(keys=keys)
    seeded.delete(keys[::3])
    seeded.upsert(keys[1::3])
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_long_varchar_keys(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(key="varchar")
    keys = [f"{i:03}" + "é" * 254 for i in range(50)]  # 511 bytes
    seeded.insert(keys=keys)
    seeded.delete(keys[:25])
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_extreme_int64_keys(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    # Milvus 2.3.5 finds the highest key by no expression; milvus-lite does.
    highest = 2**63 - (2 if scenario.target.mode == "lite" else 1)
    keys = [highest, -(2**63) + 1, 0, -1, 1]
    seeded.insert(keys=keys)
    scenario.assert_equal(seeded)
    seeded.delete(keys[:3])
    seeded.upsert([-1])
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_delete_of_the_lowest_int64_key(scenario: Scenario) -> None:
    """Milvus 2.3 cannot parse the literal -2^63; milvus-lite cannot subtract."""
    scenario.start_task()
    seeded = scenario.seed()
    lowest = -(2**63)
    seeded.insert(keys=[lowest, 5])
    scenario.running.wait_safe(seeded.last_ts)
    result = seeded.collection.delete("id in [-9223372036854775807-1]")
    seeded.last_ts = write_ts(result)
    del seeded.live["_default"][lowest]
    seeded.touched["_default"].discard(lowest)  # the comparison cannot ask for it by literal
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
@pytest.mark.parametrize("key", ["int64", "varchar"])
def test_auto_id(scenario: Scenario, key: str) -> None:
    scenario.start_task()
    seeded = scenario.seed(key=key, auto_id=True)
    keys = seeded.insert(60)
    seeded.delete(keys[:15])
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_partition_key(scenario: Scenario) -> None:
    scenario.start_task()
    tenant = FieldSchema("tenant", DataType.VARCHAR, max_length=64, is_partition_key=True)
    seeded = scenario.seed(fields=[tenant], num_partitions=7)
    keys = []
    for name in ("red", "green", "blue", "grün", ""):
        keys += seeded.insert(20, tenant=name)
    seeded.delete(keys[::7])
    seeded.upsert(keys[1::7], tenant="green")
    skip = ["partitions"] if scenario.target.mode == "lite" else []
    scenario.assert_equal(seeded, skip=skip)


@EVERYWHERE
def test_partition_key_with_int64(scenario: Scenario) -> None:
    scenario.start_task()
    tenant = FieldSchema("tenant", DataType.INT64, is_partition_key=True)
    seeded = scenario.seed(fields=[tenant], num_partitions=16, key="varchar")
    keys = seeded.insert(80)
    seeded.delete(keys[:20])
    skip = ["partitions"] if scenario.target.mode == "lite" else []
    scenario.assert_equal(seeded, skip=skip)


@BOTH_MODES  # milvus-lite keeps one row of a key
def test_one_key_in_two_partitions(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.collection.create_partition("p1")
    seeded.collection.create_partition("p2")
    seeded.insert(keys=[1, 2, 3, 4], partition="p1")
    seeded.insert(keys=[1, 2, 3, 4], partition="p2")
    seeded.delete([1], partition="p1")
    seeded.upsert([2], partition="p2")
    seeded.delete([3])
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_a_key_inserted_twice_stays_twice(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(keys=[7, 8])
    seeded.insert(keys=[7, 9])
    scenario.assert_equal(seeded)
    assert scenario.target_place(seeded)
    assert seeded.rows_alive == 4
    seeded.delete([7])
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_upsert_of_one_key_twice_in_a_call(scenario: Scenario) -> None:
    """Milvus 2.3 keeps both rows; so must the copy."""
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(keys=[9, 10])
    seeded.upsert([9, 9])
    seeded.live["_default"][9] = 2
    differing = seeded.check_source()
    assert not differing, "the source behaves in another way than this test assumes"
    place = scenario.source_place(seeded)
    scenario.running.wait_safe(seeded.last_ts)
    scenario.wait_objects_equal(seeded)
    target = scenario.target_place(seeded)
    wanted = scenario.source.count(place.db, place.name)
    assert target.client.count(target.db, target.name, None, target.at) == wanted


@pytest.mark.core
@EVERYWHERE
def test_delete_and_insert_of_the_same_keys_in_a_row(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    keys = list(range(1, 21))
    for _ in range(6):
        seeded.insert(keys=keys)
        seeded.delete(keys)
    seeded.insert(keys=keys[:10])
    for _ in range(6):
        seeded.upsert(keys[:5])
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_delete_of_keys_that_do_not_exist(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(keys=[1, 2])
    seeded.delete([100, 200, 2])
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_a_key_inserted_twice_comes_out_once_of_a_replay(scenario: Scenario) -> None:
    """One row is left of it, and the metric counts the other."""
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(keys=[1])
    scenario.assert_equal(seeded)
    before = before_ms()
    seeded.insert(keys=[7, 8])
    seeded.insert(keys=[7, 9])
    seeded.delete([8])
    seeded.insert(keys=[8])
    scenario.assert_equal(seeded)
    assert scenario.target.client.count("default", seeded.name, at=EVENTUALLY) == 5
    duplicates = _duplicates(scenario)
    task.pause()
    task.rewind(before)
    task.resume()
    seeded.insert(keys=[10])
    task.wait_safe(seeded.last_ts)
    place = scenario.target_place(seeded)
    assert place.client.count("default", seeded.name, at=place.at) == 5  # 1, 7, 8, 9, 10
    assert _duplicates(scenario) == duplicates + 1


def _duplicates(scenario: Scenario) -> int:
    name = f'milvus_cdc_duplicate_keys_total{{task_id="{scenario.running.task_id}"}}'
    (value,) = (x for x in scenario.cdc.metrics().splitlines() if x.startswith(name))
    return int(float(value.split()[-1]))
