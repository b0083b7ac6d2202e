"""Aliases: create, move, drop; and a drop of a collection that has one."""

from __future__ import annotations

import pytest
from pymilvus import utility

from lab.timestamps import write_ts
from tests.integration.scenario import EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_create_alter_and_drop(scenario: Scenario) -> None:
    first = scenario.seed("first")
    scenario.start_task()
    second = scenario.seed("second")
    using, alias = scenario.source.alias(), scenario.name("alias")
    first.insert(5)
    second.insert(6)
    utility.create_alias(first.name, alias, using=using)
    scenario.assert_equal(first, second)
    utility.alter_alias(second.name, alias, using=using)
    scenario.assert_equal(first, second)
    utility.drop_alias(alias, using=using)
    scenario.assert_equal(first, second)


@EVERYWHERE
def test_existing_before_the_task(scenario: Scenario) -> None:
    seeded = scenario.seed()
    utility.create_alias(seeded.name, scenario.name("one"), using=scenario.source.alias())
    utility.create_alias(seeded.name, scenario.name("two"), using=scenario.source.alias())
    scenario.start_task()
    seeded.insert(5)
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_collection_with_an_alias_is_dropped(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    using, alias = scenario.source.alias(), scenario.name("alias")
    utility.create_alias(seeded.name, alias, using=using)
    seeded.insert(5)
    scenario.assert_equal(seeded)
    utility.drop_alias(alias, using=using)
    utility.drop_collection(seeded.name, using=using)
    scenario.wait_gone(seeded.name)
    again = scenario.seed()
    utility.create_alias(again.name, alias, using=using)
    again.insert(4)
    scenario.assert_equal(again)


@EVERYWHERE
def test_write_through_an_alias(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    alias = scenario.name("alias")
    utility.create_alias(seeded.name, alias, using=scenario.source.alias())
    through = scenario.source.collection("default", alias)
    seeded.insert(keys=[5])
    result = through.delete("id in [5]")
    seeded.last_ts = write_ts(result)
    del seeded.live["_default"][5]
    through.insert([seeded.row(key) for key in (1, 2, 3)])
    seeded.touched["_default"] |= {1, 2, 3}
    seeded.live["_default"].update([1, 2, 3])
    seeded.insert(keys=[4])
    scenario.assert_equal(seeded)
