"""Ten thousand collections: synthetic keys in a real etcd, the log of a real source, no target."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cdc_server import CdcServer, Task
from lab.synthetic import copy_collection
from lab.timestamps import now_ts
from lab.waiting import until
from tests.integration.scenario import Scenario, on

COLLECTIONS = 10_000


@pytest.fixture
def many(scenario: Scenario, other_server: CdcServer) -> Iterator[CdcServer]:
    yield other_server
    other_server.kill()
    scenario.stack.etcd.delete_prefix("many/")


def _wait_for_all(task: Task) -> None:
    until(
        "all collections are replicated",
        lambda: len(task.progress()["collections"]) == COLLECTIONS,
        120,
    )
    task.wait_safe(now_ts(), 120)
    task.wait_health("ok")


@on("api")
def test_ten_thousand_collections(scenario: Scenario, many: CdcServer) -> None:
    etcd = scenario.stack.etcd
    original = scenario.seed(shards=4)  # on all channels, so that they tick
    described = scenario.source.describe("default", original.name)
    copy_collection(etcd, "src", "many", described.collectionID, COLLECTIONS)
    many.start(many.configuration(root_path="many"))
    task = many.create(blackhole_connect_param={}, db_collections={"*": [{"name": "*"}]})
    _wait_for_all(task)
    print(f"\nresident: {many.process.memory_mb():.0f} MB")
    many.restart(hard=True)
    _wait_for_all(task)
