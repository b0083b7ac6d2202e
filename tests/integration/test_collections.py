"""Create and drop collections: before, during and outside the life of the server."""

from __future__ import annotations

import pytest
from pymilvus import DataType, FieldSchema, utility

from lab.client import ServerError
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_created_after_the_task(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed(description="made later", dynamic=True)
    keys = seeded.insert(50)
    seeded.delete(keys[:10])
    seeded.upsert(keys[10:15])
    scenario.assert_equal(seeded)
    scenario.assert_healthy()


@pytest.mark.core
@EVERYWHERE
def test_existing_before_the_task_with_rows_written_after(scenario: Scenario) -> None:
    seeded = scenario.seed()
    scenario.start_task()
    seeded.insert(50)
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_dropped(scenario: Scenario) -> None:
    scenario.start_task()
    kept, dropped = scenario.seed("kept"), scenario.seed("dropped")
    kept.insert(10)
    dropped.insert(10)
    scenario.assert_equal(kept, dropped)
    utility.drop_collection(dropped.name, using=scenario.source.alias())
    scenario.wait_gone(dropped.name)
    kept.insert(10)
    scenario.assert_equal(kept)
    scenario.assert_healthy()


@pytest.mark.core
@EVERYWHERE
def test_dropped_right_after_its_rows(scenario: Scenario) -> None:
    scenario.start_task()
    kept = scenario.seed("kept")
    short = scenario.seed("short", load=False)
    short.insert(100)
    utility.drop_collection(short.name, using=scenario.source.alias())
    kept.insert(5)
    scenario.assert_equal(kept)
    scenario.wait_gone(short.name)
    scenario.assert_healthy()


@EVERYWHERE
def test_dropped_and_created_under_the_same_name(scenario: Scenario) -> None:
    scenario.start_task()
    old = scenario.seed()
    keys = old.insert(30)
    scenario.assert_equal(old)
    utility.drop_collection(old.name, using=scenario.source.alias())
    new = scenario.seed(fields=[FieldSchema("other", DataType.VARCHAR, max_length=300)])
    new.insert(keys=keys[:5])
    scenario.assert_equal(new)
    assert new.rows_alive == 5


@pytest.mark.core
@EVERYWHERE
def test_recreated_at_once_with_the_same_schema(scenario: Scenario) -> None:
    scenario.start_task()
    for _ in range(3):
        seeded = scenario.seed(load=False)
        seeded.insert(20)
        utility.drop_collection(seeded.name, using=scenario.source.alias())
    seeded = scenario.seed()
    seeded.insert(keys=[1, 2, 3])
    scenario.assert_equal(seeded)


@EVERYWHERE
def test_created_and_dropped_while_the_server_was_down(scenario: Scenario) -> None:
    scenario.start_task()
    kept, gone = scenario.seed("kept"), scenario.seed("gone")
    kept.insert(10)
    gone.insert(10)
    scenario.assert_equal(kept, gone)
    scenario.cdc.terminate()
    utility.drop_collection(gone.name, using=scenario.source.alias())
    passing = scenario.seed("passing", load=False)
    passing.insert(10)
    utility.drop_collection(passing.name, using=scenario.source.alias())
    born = scenario.seed("born")
    born.insert(20)
    kept.insert(5)
    scenario.cdc.start()
    scenario.assert_equal(kept, born)
    scenario.wait_gone(gone.name)
    assert not scenario.target.client.exists("default", passing.name)
    scenario.assert_healthy()


@EVERYWHERE
def test_many_collections_share_the_channels(scenario: Scenario) -> None:
    scenario.start_task()
    count = 8  # of two shards each, on four channels
    all_seeded = [scenario.seed(f"c{i}", load=False, seed=i) for i in range(count)]
    for round_number in range(3):
        for seeded in all_seeded:
            seeded.insert(10 + round_number)
    for seeded in all_seeded:
        seeded.delete(sorted(seeded.touched["_default"])[:4])
        seeded.index_and_load()
    scenario.assert_equal(*all_seeded)


@pytest.mark.core
@BOTH_MODES
@pytest.mark.parametrize("shards", [1, 4])
def test_shards(scenario: Scenario, shards: int) -> None:
    scenario.start_task()
    seeded = scenario.seed(shards=shards, consistency_level="Strong")
    seeded.upsert(seeded.insert(100)[:20])
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_flush(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(64)
    scenario.assert_equal(seeded)
    seeded.collection.flush(timeout=60)
    seeded.insert(16)
    scenario.assert_equal(seeded)
    if scenario.target.mode == "lite":
        return  # it has no segments to look at

    def flushed_rows() -> int:
        using = scenario.target.client.alias()
        segments = utility.get_query_segment_info(seeded.name, using=using)
        return sum(s.num_rows for s in segments if s.state == 3)  # 3: sealed or flushed

    until("the first rows are flushed on the target", lambda: flushed_rows() >= 64, 30)
    scenario.assert_equal(seeded)


@pytest.mark.core
@EVERYWHERE
def test_release_and_load_again(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    seeded.collection.release()
    scenario.wait_objects_equal(seeded)
    seeded.insert(20)
    with pytest.raises(ServerError):
        scenario.target.client.query("default", seeded.name, "id >= 0")
    seeded.collection.load(timeout=60)
    scenario.assert_equal(seeded)
