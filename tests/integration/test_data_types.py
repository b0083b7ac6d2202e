"""Every field type of Milvus 2.3, compared bit by bit."""

from __future__ import annotations

import pytest
from pymilvus import DataType, FieldSchema

from lab.comparer import compare_objects, compare_rows
from lab.float16 import Float16Collection
from lab.seeder import scalar_fields
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_every_scalar_and_array_type_with_dynamic_fields(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(fields=scalar_fields(), dynamic=True, seed=11)
    keys = seeded.insert(150)
    seeded.delete(keys[:20])
    seeded.upsert(keys[10:40])
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_binary_vectors(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(vector="binary", dim=64)
    seeded.upsert(seeded.insert(60)[:7])
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_float16_vectors(scenario: Scenario) -> None:
    task = scenario.start_task()
    name = scenario.name("half")
    half = Float16Collection(scenario.source, name)
    source = scenario.source_place_of("default", name)

    def equal() -> bool:
        target = scenario.target_place_of("default", name)
        differences = compare_objects(source, target, scenario.target.traits)
        differences += compare_rows(source, target, {"_default": range(60)}, scenario.target.traits)
        assert not differences, "\n".join(differences)
        return True

    for write, keys in ((half.insert, range(60)), (half.delete, range(5)), (half.insert, range(3))):
        write(keys)
        task.wait_safe(half.last_ts)
        until(f"{name} is equal", equal, 30)


@EVERYWHERE
def test_wide_vectors(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(dim=1536)
    seeded.insert(200)
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_nested_json_and_large_dynamic_rows(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(fields=[FieldSchema("doc", DataType.JSON)], dynamic=True)
    deep: dict[str, object] = {"end": [1, 2.5, None, True, 'ü\u0000"\\']}
    for level in range(20):
        deep = {f"level {level}": deep, "list": [[], {}, [[1]]]}
    seeded.insert(keys=[1], doc=deep)
    seeded.insert(keys=[2], doc={}, big="x" * 30_000, many={str(i): i for i in range(2000)})
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_one_insert_larger_than_a_log_message(scenario: Scenario) -> None:
    """The source's proxy splits it; the target has to end up with all of it."""
    scenario.start_task()
    seeded = scenario.seed(fields=[FieldSchema("text", DataType.VARCHAR, max_length=65000)])
    seeded.insert(400, text="t" * 40_000)
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_dynamic_fields_vanish_with_an_upsert(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(dynamic=True)
    keys = seeded.insert(20, color="red", extra={"a": 1})
    scenario.assert_equal(seeded)
    seeded.upsert(keys[:10])
    scenario.assert_equal(seeded)
