"""Rename, swap, and altered properties."""

from __future__ import annotations

import pytest
from pymilvus import db, utility

from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_rename_between_writes(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed("old")
    old_name = seeded.name
    keys = seeded.insert(20)
    scenario.assert_equal(seeded)
    utility.rename_collection(old_name, scenario.name("new"), using=scenario.source.alias())
    seeded.name = scenario.name("new")
    seeded.delete(keys[:5])
    seeded.insert(10)
    scenario.assert_equal(seeded)
    scenario.wait_gone(old_name)


@EVERYWHERE
def test_swap(scenario: Scenario) -> None:
    scenario.start_task()
    one, two = scenario.seed("one", seed=1), scenario.seed("two", seed=2)
    one.insert(11)
    two.insert(22)
    scenario.assert_equal(one, two)
    using, spare = scenario.source.alias(), scenario.name("spare")
    utility.rename_collection(one.name, spare, using=using)
    utility.rename_collection(two.name, one.name, using=using)
    utility.rename_collection(spare, two.name, using=using)
    one.name, two.name = two.name, one.name
    one.insert(5)
    two.insert(6)
    scenario.assert_equal(one, two)
    scenario.wait_gone(spare)


@EVERYWHERE
def test_swap_while_the_server_is_down(scenario: Scenario) -> None:
    scenario.start_task()
    one, two = scenario.seed("one", seed=1), scenario.seed("two", seed=2)
    one.insert(11)
    two.insert(22)
    scenario.assert_equal(one, two)
    scenario.cdc.terminate()
    using, spare = scenario.source.alias(), scenario.name("spare")
    utility.rename_collection(one.name, spare, using=using)
    utility.rename_collection(two.name, one.name, using=using)
    utility.rename_collection(spare, two.name, using=using)
    one.name, two.name = two.name, one.name
    one.insert(5)
    scenario.cdc.start()
    two.insert(6)
    scenario.assert_equal(one, two)


@EVERYWHERE
def test_new_collection_under_the_freed_name(scenario: Scenario) -> None:
    scenario.start_task()
    first = scenario.seed()
    name = first.name
    first.insert(10)
    utility.rename_collection(name, scenario.name("moved"), using=scenario.source.alias())
    first.name = scenario.name("moved")
    second = scenario.seed(seed=9)
    second.insert(7)
    first.insert(3)
    scenario.assert_equal(first, second)


@EVERYWHERE
def test_altered_properties(scenario: Scenario) -> None:
    """Milvus 2.3.5 writes an alteration into etcd with the next one: hence twice the same."""
    scenario.start_task()
    seeded = scenario.seed(properties={"collection.ttl.seconds": "360000"})
    seeded.insert(5)
    scenario.assert_equal(seeded)
    for _ in range(2):
        seeded.collection.set_properties({"collection.ttl.seconds": 720000})
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_into_another_database_behind_its_aliases(scenario: Scenario) -> None:
    """The source refuses it while there are aliases; we see only that both are gone."""
    task = scenario.start_task()
    database = scenario.name("db")
    db.create_database(database, using=scenario.source.alias())
    seeded = scenario.seed(db=database)
    using = scenario.source.alias(database)
    utility.create_alias(seeded.name, scenario.name("alias"), using=using)
    seeded.insert(10)
    scenario.assert_equal(seeded)
    task.pause()
    utility.drop_alias(scenario.name("alias"), using=using)
    utility.rename_collection(seeded.name, seeded.name, "default", using=using)
    task.resume()
    scenario.wait_on_target(seeded.name)
    scenario.wait_gone(seeded.name, database)
