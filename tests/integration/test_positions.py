"""Tasks that do not begin at the end of the log: at positions, at a collection's creation, and with
operations from before the task."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from pymilvus import utility

from lab.cdc_server import CdcError, Task
from lab.client import Key
from lab.comparer import diff_rows
from lab.seeder import Seeded
from lab.waiting import until
from lab.wire import field, varint
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario, on

ALL_CHANNELS = 4  # shards: every channel of the source


def _checkpoint(task: Task) -> dict[str, Any]:
    """What the `position` request answers once the task has written down all it has done."""
    task.pause()
    return task.server.request("position", {"task_id": task.task_id})


def _positions(answer: dict[str, Any], seeded: Seeded) -> dict[str, str]:
    """Of one collection, by physical channel."""
    number = seeded.client.describe(seeded.db, seeded.name).collectionID
    found = {
        position["channel_name"]: str(position["msg_id"])
        for position in answer["positions"]
        if position["collection_id"] == number
    }
    assert sorted(found) == seeded.channels
    return found


def _by_vchannel(positions: dict[str, str], seeded: Seeded) -> dict[str, str]:
    described = seeded.client.describe(seeded.db, seeded.name)
    channels = zip(described.virtual_channel_names, described.physical_channel_names, strict=True)
    return {virtual: positions[physical] for virtual, physical in channels}


def _select(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"default": list(entries)}


def _entry(seeded: Seeded, **more: Any) -> dict[str, Any]:
    return {"name": seeded.name, **more}


def _copies(scenario: Scenario, *all_seeded: Seeded) -> list[dict[str, Any]]:
    """A name_mapping to names that nothing on the target has."""
    names = {seeded.name: f"{seeded.name}_copy" for seeded in all_seeded}
    return [{"source_db": "default", "target_db": "default", "collection_mapping": names}]


def _assert_only(scenario: Scenario, seeded: Seeded, keys: Sequence[Key]) -> None:
    """The copy holds the rows of these keys as the source has them, and no others."""
    scenario.running.wait_safe(seeded.last_ts)
    copy = f"{seeded.name}_copy"
    scenario.wait_objects_equal(seeded, name=copy)
    source = scenario.source_place(seeded)
    target = scenario.target_place(seeded, name=copy)
    count = target.client.count(target.db, target.name, None, target.at)
    assert count == len(keys)
    left, right = (
        place.client.rows(place.db, place.name, "id", keys, None, place.at)
        for place in (source, target)
    )
    assert len(left) == len(keys)
    assert not diff_rows(left, right, scenario.target.traits, set())


@pytest.mark.core
@BOTH_MODES
def test_a_new_task_goes_on_where_another_one_was(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(40)
    scenario.assert_equal(seeded)
    begin = _positions(_checkpoint(task), seeded)
    task.delete()
    seeded.insert(30)
    seeded.delete(keys[:5])
    seeded.upsert(keys[5:10])
    scenario.start_task(db_collections=_select(_entry(seeded, positions=begin)))
    scenario.assert_equal(seeded)
    assert scenario.running.progress()["rows_inserted"] == 35
    seeded.insert(10)
    scenario.cdc.restart(hard=True)
    seeded.delete(keys[10:15])
    scenario.assert_equal(seeded)
    scenario.assert_healthy()


@BOTH_MODES
def test_exactly_what_came_after_the_position(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(40)
    scenario.assert_equal(seeded)
    begin = _by_vchannel(_positions(_checkpoint(task), seeded), seeded)
    task.delete()
    keys = seeded.insert(30)
    scenario.start_task(
        db_collections=_select(_entry(seeded, positions=begin)),
        name_mapping=_copies(scenario, seeded),
    )
    _assert_only(scenario, seeded, keys)
    keys += seeded.insert(7)
    _assert_only(scenario, seeded, keys)


@BOTH_MODES
def test_what_the_target_holds_beyond_the_position_does_not_come_twice(scenario: Scenario) -> None:
    """As after a backup, which holds more than its positions say."""
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(40)
    scenario.assert_equal(seeded)
    begin = _positions(_checkpoint(task), seeded)
    task.resume()
    more = seeded.insert(50)
    seeded.upsert(keys[:10])
    seeded.delete([*keys[10:20], *more[:10]])
    seeded.insert(5, keys=keys[10:15])
    scenario.assert_equal(seeded)
    task.delete()
    scenario.start_task(db_collections=_select(_entry(seeded, positions=begin)))
    seeded.insert(5)
    scenario.assert_equal(seeded)
    assert scenario.running.progress()["rows_replayed"] >= 65


@EVERYWHERE
def test_everything_since_creation(scenario: Scenario) -> None:
    seeded = scenario.seed()
    keys = seeded.insert(50)
    seeded.delete(keys[:10])
    seeded.upsert(keys[10:20])
    seeded.collection.create_partition("p1")
    seeded.insert(20, partition="p1")
    scenario.start_task(
        db_collections=_select({"name": scenario.name("*"), "use_start_position": True})
    )
    seeded.insert(20)
    later = scenario.seed("later")
    later.insert(5)
    scenario.assert_equal(seeded, later)
    assert scenario.running.progress()["rows_replayed"] == 0


@BOTH_MODES
def test_everything_since_creation_over_kill_9(scenario: Scenario) -> None:
    seeded = scenario.seed()
    for _ in range(10):
        keys = seeded.insert(500)
        seeded.delete(keys[:100])
    scenario.start_task(db_collections=_select(_entry(seeded, use_start_position=True)))
    for _ in range(4):
        scenario.cdc.restart(hard=True)
        seeded.upsert(seeded.insert(100)[:50])
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_two_collections_of_the_same_channels_begin_at_different_places(
    scenario: Scenario,
) -> None:
    task = scenario.start_task()
    one, now, whole = (scenario.seed(base, shards=ALL_CHANNELS) for base in ("one", "now", "whole"))
    for seeded in (one, now):
        seeded.insert(30)
    keys = whole.insert(30)
    scenario.assert_equal(one, now, whole)
    begin = _positions(_checkpoint(task), one)
    task.delete()
    of_one = one.insert(20)
    now.insert(20)
    keys += whole.insert(20)
    scenario.start_task(
        db_collections=_select(
            _entry(one, positions=begin), _entry(now), _entry(whole, use_start_position=True)
        ),
        name_mapping=_copies(scenario, one, now, whole),
    )
    of_now = now.insert(15)
    of_one += one.insert(15)
    scenario.cdc.restart(hard=True)
    of_now += now.insert(5)
    _assert_only(scenario, one, of_one)
    _assert_only(scenario, now, of_now)
    _assert_only(scenario, whole, keys)


@BOTH_MODES
def test_positions_of_all_channels_for_a_pattern(scenario: Scenario) -> None:
    """Everything goes on where another task was; what was made since comes as a whole."""
    task = scenario.start_task()
    one, two = (scenario.seed(base, shards=ALL_CHANNELS) for base in ("one", "two"))
    for seeded in (one, two):
        seeded.insert(30)
    scenario.assert_equal(one, two)
    begin = _positions(_checkpoint(task), one)
    task.delete()
    since = scenario.seed("since", shards=ALL_CHANNELS)
    for seeded in (one, two, since):
        seeded.insert(20)
    scenario.start_task(db_collections=_select({"name": scenario.name("*"), "positions": begin}))
    two.insert(3)
    scenario.assert_equal(one, two, since)


@BOTH_MODES
def test_operations_go_on_behind_their_position(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(64)
    scenario.assert_equal(seeded)
    answer = _checkpoint(task)
    begin = _positions(answer, seeded)
    (operations,) = answer["op_positions"]
    task.delete()

    def flushed_rows() -> int:
        using = scenario.target.client.alias()
        segments = utility.get_query_segment_info(seeded.name, using=using)
        return sum(s.num_rows for s in segments if s.state == 3)  # 3: sealed or flushed

    assert flushed_rows() == 0
    seeded.collection.flush(timeout=60)  # nobody is there to repeat it
    scenario.start_task(
        db_collections=_select(_entry(seeded, positions=begin)),
        rpc_channel_info={"name": operations["channel_name"], "position": operations["msg_id"]},
    )
    until("the rows are flushed on the target", lambda: flushed_rows() >= 64, 30)
    seeded.insert(5)
    scenario.assert_equal(seeded)


def _forget(scenario: Scenario, seeded: Seeded, begin: dict[str, str]) -> dict[str, str]:
    """Positions of this collection that the source's log no longer holds."""
    if scenario.stack.broker is None:  # the first message id that there ever was
        oldest = (1).to_bytes(8, "little")
        return {
            channel: base64.b64encode(field(1, channel.encode()) + field(2, oldest)).decode()
            for channel in begin
        }
    scenario.truncate_log(seeded)
    seeded.insert(10)
    return begin


@pytest.mark.core
@on("api")
def test_positions_that_the_log_no_longer_holds_are_refused(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    begin = _positions(_checkpoint(task), seeded)
    task.delete()
    seeded.insert(10)
    gone = _forget(scenario, seeded, begin)
    before = [listed["task_id"] for listed in scenario.cdc.tasks()]
    with pytest.raises(CdcError, match=r"cannot begin there.*oldest message held is.*anew"):
        scenario.start_task(db_collections=_select(_entry(seeded, positions=gone)))
    if scenario.stack.broker is not None:
        with pytest.raises(CdcError, match=r"cannot begin there.*leave use_start_position out"):
            scenario.start_task(db_collections=_select(_entry(seeded, use_start_position=True)))
    assert [listed["task_id"] for listed in scenario.cdc.tasks()] == before


def _unnamed(message_id: bytes) -> str:
    """A position that says no channel."""
    return base64.b64encode(field(2, message_id)).decode()


def _far_ahead(scenario: Scenario) -> str:
    """A message that no log will ever have."""
    broker = scenario.stack.broker
    if broker is not None and broker.kind == "pulsar":  # ledger, entry, partition, batch index
        return _unnamed(b"\x08" + varint(2**40) + b"\x10\x00\x18\x00\x20\x00")
    return _unnamed((2**62).to_bytes(8, "little"))


@on("api")
def test_refusals(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded, other = scenario.seed(), scenario.seed("other")
    for one in (seeded, other):
        one.insert(5)
    scenario.assert_equal(seeded, other)
    begin = _positions(_checkpoint(task), seeded)
    task.delete()
    first, second = sorted(begin)
    of_other = _by_vchannel(dict.fromkeys(other.channels, _unnamed(b"any")), other)
    mistakes: list[tuple[dict[str, str], str]] = [
        ({first: begin[first]}, f"and none for {second}_"),
        ({first: begin[second], second: begin[second]}, "one of another channel"),
        ({**begin, "src-rootcoord-dml_99": "CgA="}, "not a MsgPosition of Milvus"),
        ({**begin, "src-rootcoord-dml_99": _unnamed(b"any")}, "is written to it"),
        (of_other, "is written to it"),
        (dict.fromkeys(begin, _unnamed(b"any")), "no message id of the source's log"),
        ({**begin, first: _far_ahead(scenario)}, "and the log ends at"),
    ]
    for positions, message in mistakes:
        with pytest.raises(CdcError, match=message):
            scenario.start_task(db_collections=_select(_entry(seeded, positions=positions)))


@BOTH_MODES
def test_the_copy_of_an_earlier_task_is_not_written_once_more_unasked(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(40)
    scenario.assert_equal(seeded)
    task.delete()
    whole = _select(_entry(seeded, use_start_position=True))
    assert "adopt: true" in scenario.cdc.create_fails(**scenario.request(db_collections=whole))
    seeded.delete(seeded.insert(10)[:5])
    scenario.start_task(db_collections=whole, adopt=True)
    scenario.assert_equal(seeded)
