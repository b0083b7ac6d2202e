"""Which objects a task takes, and under which names they arrive."""

from __future__ import annotations

import pytest
from pymilvus import Collection, CollectionSchema, utility

from lab.cdc_server import CdcError
from lab.seeder import DIM, key_field, vector_field
from tests.integration.scenario import EVERYWHERE, Scenario


@EVERYWHERE
def test_exact_names_patterns_and_excludes(scenario: Scenario) -> None:
    exact = scenario.seed("exact")
    scenario.start_task(
        db_collections={
            "default": [
                {"name": scenario.name("log_*")},
                {"name": scenario.name("exact")},
            ]
        },
        exclude_collections=[f"default.{scenario.name('log_tmp_*')}"],
    )
    others = [scenario.seed(base, load=False) for base in ("log_tmp_1", "exactly", "other")]
    for seeded in others:
        seeded.insert(5)
    wanted = [exact, scenario.seed("log_1"), scenario.seed("log_2")]
    for seeded in wanted:
        seeded.insert(10)
    scenario.assert_equal(*wanted)
    for seeded in others:
        scenario.never_on_target(seeded.name, after=wanted[-1])
    scenario.assert_healthy()


@EVERYWHERE
def test_several_databases_in_one_task(scenario: Scenario) -> None:
    whole, part, none = (scenario.database(base) for base in ("whole", "part", "none"))
    scenario.start_task(
        db_collections={whole: [{"name": "*"}], part: [{"name": scenario.name("a*")}]}
    )
    outside = [
        scenario.seed("b", db=part, load=False),
        scenario.seed("a", db=none, load=False),
        scenario.seed("a", load=False),
    ]
    for seeded in outside:
        seeded.insert(5)
    inside = [
        scenario.seed("x", db=whole),
        scenario.seed("y", db=whole),
        scenario.seed("a1", db=part),
    ]
    for seeded in inside:
        seeded.insert(10)
    scenario.assert_equal(*inside)
    scenario.never_on_target(scenario.name("b"), inside[-1], db=part)
    scenario.never_on_target(scenario.name("a"), inside[-1])
    assert none not in scenario.target.client.databases()


@EVERYWHERE
def test_database_patterns(scenario: Scenario) -> None:
    one, two = scenario.database("p_one"), scenario.database("q_two")
    scenario.start_task(db_collections={scenario.name("p_*"): [{"name": "*"}]})
    inside, outside = scenario.seed(db=one), scenario.seed(db=two, load=False)
    outside.insert(5)
    inside.insert(10)
    scenario.assert_equal(inside)
    assert two not in scenario.target.client.databases()


@EVERYWHERE
def test_renamed_database_and_collection(scenario: Scenario) -> None:
    source_db, copy = scenario.database("db"), scenario.name("copy")
    scenario.start_task(
        db_collections={source_db: [{"name": "*"}]},
        name_mapping=[
            {
                "source_db": source_db,
                "target_db": copy,
                "collection_mapping": {scenario.name("a"): scenario.name("renamed")},
            },
            {"source_db": source_db, "target_db": copy},  # all others keep their names
        ],
    )
    mapped, plain = scenario.seed("a", db=source_db), scenario.seed("b", db=source_db)
    keys = mapped.insert(20)
    mapped.delete(keys[:5])
    plain.insert(10)
    scenario.assert_equal(mapped, db=copy, name=scenario.name("renamed"))
    scenario.assert_equal(plain, db=copy)
    mapped.collection.create_partition("p")
    mapped.insert(5, partition="p")
    scenario.assert_equal(mapped, db=copy, name=scenario.name("renamed"))
    assert source_db not in scenario.target.client.databases()
    utility.drop_collection(mapped.name, using=scenario.source.alias(source_db))
    scenario.wait_gone(scenario.name("renamed"), db=copy)


@EVERYWHERE
def test_two_tasks_on_one_target(scenario: Scenario) -> None:
    a, b = scenario.seed("a"), scenario.seed("b")
    first = scenario.start_task(db_collections={"default": [{"name": scenario.name("a")}]})
    second = scenario.start_task(db_collections={"default": [{"name": scenario.name("b")}]})
    a.insert(20)
    b.insert(30)
    for task, seeded in ((first, a), (second, b)):
        scenario.task = task
        scenario.assert_equal(seeded)
    first.pause()
    b.insert(10)
    scenario.task = second
    scenario.assert_equal(b)
    a.insert(10)
    first.resume()
    scenario.task = first
    scenario.assert_equal(a)


@EVERYWHERE
def test_overlapping_tasks_on_one_target_are_refused(scenario: Scenario) -> None:
    scenario.seed("a", load=False)
    scenario.start_task()
    with pytest.raises(CdcError) as error:
        scenario.start_task(db_collections={"default": [{"name": scenario.name("a")}]})
    assert error.value.code == 400


def _stranger(scenario: Scenario, name: str, dim: int) -> Collection:
    """A collection on the target that no task made."""
    schema = CollectionSchema([key_field("int64"), vector_field(dim=dim)])
    return Collection(name, schema, using=scenario.target.client.alias(), num_shards=2)


@EVERYWHERE
@pytest.mark.parametrize("dim", [4, DIM], ids=["unlike", "alike"])
def test_a_strangers_collection_is_left_alone(scenario: Scenario, dim: int) -> None:
    """Somebody else made a collection of the same name on the target."""
    name = scenario.name("a")
    _stranger(scenario, name, dim)
    before = scenario.target.client.describe("default", name).SerializeToString()
    scenario.start_task()
    scenario.seed("a", load=False, fields=[]).insert(5)
    reason = scenario.running.wait_complaint(name)
    assert ("adopt" if dim == DIM else "vector") in reason
    utility.drop_collection(name, using=scenario.source.alias())
    scenario.cdc.restart()
    other = scenario.seed("later", load=False)
    other.insert(1)
    assert scenario.target.client.describe("default", name).SerializeToString() == before


@EVERYWHERE
def test_an_equal_collection_is_adopted_on_request(scenario: Scenario) -> None:
    name = scenario.name("a")
    made = _stranger(scenario, name, dim=4)
    made.create_index(
        "vector", {"index_type": "FLAT", "metric_type": "L2", "params": {}}, index_name="by_vector"
    )
    scenario.start_task(adopt=True)
    seeded = scenario.seed("a", fields=[], dim=4)
    seeded.insert(10)
    scenario.assert_equal(seeded, skip=["created timestamp"])
