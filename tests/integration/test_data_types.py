"""Every field type of Milvus 2.3, compared bit by bit."""

from __future__ import annotations

from pymilvus import DataType, FieldSchema

from lab.seeder import scalar_fields
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


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
