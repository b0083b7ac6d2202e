"""Databases: create, drop, and the same collection name in several."""

from __future__ import annotations

import pytest
from pymilvus import db, utility

from lab.waiting import until
from tests.integration.scenario import EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_create_and_drop(scenario: Scenario) -> None:
    early = scenario.database("early")
    scenario.start_task()
    late = scenario.database("late")
    in_early, in_late = scenario.seed(db=early), scenario.seed(db=late, seed=3)
    in_early.insert(12)
    in_late.insert(13)
    scenario.assert_equal(in_early, in_late)
    utility.drop_collection(in_late.name, using=scenario.source.alias(late))
    db.drop_database(late, using=scenario.source.alias())
    until(
        f"database {late} is gone from the target",
        lambda: late not in scenario.target.client.databases(),
    )
    in_early.insert(3)
    scenario.assert_equal(in_early)
    scenario.assert_healthy()


@EVERYWHERE
def test_empty_database(scenario: Scenario) -> None:
    scenario.start_task()
    name = scenario.database("empty")
    until("it is there", lambda: name in scenario.target.client.databases())


@pytest.mark.core
@EVERYWHERE
def test_one_name_in_three_databases(scenario: Scenario) -> None:
    scenario.start_task()
    databases = ["default", scenario.database("d1"), scenario.database("d2")]
    all_seeded = [scenario.seed(db=name, seed=i) for i, name in enumerate(databases)]
    for number, seeded in enumerate(all_seeded):
        keys = seeded.insert(10 + number)
        seeded.delete(keys[: number + 1])
    scenario.assert_equal(*all_seeded)


@EVERYWHERE
def test_dropped_and_created_again(scenario: Scenario) -> None:
    scenario.start_task()
    name = scenario.database("again")
    seeded = scenario.seed(db=name, load=False)
    seeded.insert(10)
    utility.drop_collection(seeded.name, using=scenario.source.alias(name))
    db.drop_database(name, using=scenario.source.alias())
    db.create_database(name, using=scenario.source.alias())
    seeded = scenario.seed(db=name)
    seeded.insert(keys=[1, 2])
    scenario.assert_equal(seeded)
