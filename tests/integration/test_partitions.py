"""Partitions: create, drop, re-create, load and release."""

from __future__ import annotations

import pytest

from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario, on


@pytest.mark.core
@EVERYWHERE
def test_create_with_rows_in_each(scenario: Scenario) -> None:
    seeded = scenario.seed()
    seeded.collection.create_partition("before")
    scenario.start_task()
    seeded.collection.create_partition("after")
    for partition in ("before", "after", None):
        keys = seeded.insert(30, partition=partition)
        seeded.delete(keys[:5], partition=partition)
        seeded.upsert(keys[5:9], partition=partition)
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_drop(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    for partition in ("kept", "dropped"):
        seeded.collection.create_partition(partition)
        seeded.insert(20, partition=partition)
    seeded.index_and_load()
    scenario.assert_equal(seeded)
    seeded.collection.release()
    seeded.collection.drop_partition("dropped")
    del seeded.live["dropped"], seeded.touched["dropped"]
    seeded.collection.load(timeout=60)
    seeded.insert(5, partition="kept")
    scenario.assert_equal(seeded)
    scenario.assert_healthy()


@EVERYWHERE
def test_drop_and_create_under_the_same_name(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    for _ in range(3):
        seeded.collection.create_partition("p")
        seeded.insert(25, partition="p")
        seeded.collection.drop_partition("p")
        del seeded.live["p"], seeded.touched["p"]
    seeded.collection.create_partition("p")
    seeded.insert(10, partition="p")
    seeded.index_and_load()
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_load_and_release_some(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    for partition in ("p1", "p2", "p3"):
        seeded.collection.create_partition(partition)
        seeded.insert(10, partition=partition)
    seeded.index_and_load(partition_names=["p1", "p2"])
    scenario.wait_objects_equal(seeded)
    seeded.collection.partition("p1").release()
    scenario.wait_objects_equal(seeded)
    seeded.collection.partition("p3").load()
    scenario.wait_objects_equal(seeded)
    seeded.collection.release()
    scenario.wait_objects_equal(seeded)
    seeded.collection.load(timeout=60)
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_many(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    for number in range(20):
        seeded.collection.create_partition(f"p{number}")
        seeded.insert(3, partition=f"p{number}")
    seeded.index_and_load()
    scenario.assert_equal(seeded)


@pytest.mark.logs("rocksmq")
@on("api")
def test_left_to_the_owner_of_the_target(scenario: Scenario) -> None:
    connect = {**scenario.target.connect_param(), "ignore_partition": True}
    task = scenario.start_task(milvus_connect_param=connect)
    seeded = scenario.seed(load=False)
    seeded.insert(10)
    seeded.collection.create_partition("p")
    seeded.insert(20, partition="p")
    seeded.index_and_load()
    assert "has no partition p on the target" in task.wait_complaint("ignore_partition")
    on_target = scenario.target.client.collection("default", seeded.name)
    on_target.create_partition("p")
    scenario.assert_equal(seeded)
    scenario.assert_healthy()
    # Dropped and made again at the source: the one on the target stays.
    seeded.collection.release()
    seeded.collection.drop_partition("p")
    seeded.insert(5)
    task.wait_safe(seeded.last_ts)
    assert on_target.has_partition("p")
    seeded.collection.create_partition("p")
    seeded.insert(15, partition="p")
    task.wait_safe(seeded.last_ts)
    scenario.assert_healthy()
