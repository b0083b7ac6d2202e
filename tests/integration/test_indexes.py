"""Indexes: create with their parameters, drop, replace."""

from __future__ import annotations

from typing import Any

import pytest
from pymilvus import DataType, FieldSchema

from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario

HNSW = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 12, "efConstruction": 90}}
IVF = {"index_type": "IVF_FLAT", "metric_type": "L2", "params": {"nlist": 32}}
AUTO = {"index_type": "AUTOINDEX", "metric_type": "IP", "params": {}}


@EVERYWHERE
@pytest.mark.parametrize("params", [HNSW, IVF, AUTO], ids=["hnsw", "ivf", "auto"])
def test_create_with_parameters(scenario: Scenario, params: dict[str, Any]) -> None:
    scenario.start_task()
    seeded = scenario.seed(load=False)
    seeded.insert(30)
    seeded.collection.create_index("vector", params, index_name="mine")
    seeded.collection.load(timeout=60)
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_scalar_index(scenario: Scenario) -> None:
    scenario.start_task()
    text = FieldSchema("text", DataType.VARCHAR, max_length=300)
    seeded = scenario.seed(load=False, fields=[text, FieldSchema("n", DataType.INT64)])
    seeded.collection.create_index("text", index_name="by_text")
    seeded.collection.create_index("n", {"index_type": "STL_SORT"}, index_name="by_n")
    seeded.index_and_load()
    seeded.insert(30)
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_existing_before_the_task(scenario: Scenario) -> None:
    seeded = scenario.seed(load=False)
    seeded.collection.create_index("vector", HNSW, index_name="mine")
    scenario.start_task()
    scenario.wait_on_target(seeded.name)
    scenario.wait_objects_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_drop_and_replace(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    seeded.collection.release()
    seeded.collection.drop_index(index_name="by_vector")
    # milvus-lite calls a collection without indexes loaded.
    skip = ["load state"] if scenario.target.mode == "lite" else []
    scenario.wait_objects_equal(seeded, skip=skip)
    seeded.collection.create_index("vector", HNSW, index_name="other")
    seeded.collection.load(timeout=60)
    scenario.assert_equal(seeded)
