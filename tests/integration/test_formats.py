"""What Milvus 2.4.21 and 2.5.15 wrote, replayed from a real etcd and Kafka into real targets.

No server of these versions runs here: the bytes are theirs (tests/golden/replay), etcd, broker and
targets are real. What a target of 2.3.5 or milvus-lite cannot hold stops its task with field and
type, and nothing else.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymilvus.grpc_gen import common_pb2

from lab import places
from lab.cdc_server import CdcError, CdcServer, Task
from lab.kafka import Kafka
from lab.recording import Recording, ReplayedSource, load_recording, timestamp_now
from lab.stack import Stack, Target
from lab.waiting import until
from lab.wire import varint

pytestmark = pytest.mark.xdist_group("formats")

_numbers = itertools.count(1)
AUTOINDEX = {"index_type": "AUTOINDEX", "metric_type": "L2"}
BM25_INDEX = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}
# Field types that milvus-lite does not know.
NOT_IN_LITE = ("bin", "h")


@dataclass
class Servers:
    """An etcd, a Kafka and targets, without a source Milvus."""

    stack: Stack
    sources: dict[str, ReplayedSource]

    def source(self, name: str, recording: Recording) -> ReplayedSource:
        """Written into topics once per name; the name is the root path in etcd, too."""
        if name not in self.sources:
            assert self.stack.broker is not None
            source = ReplayedSource(recording, self.stack.etcd, self.stack.broker)
            self.sources[name] = source.start()
        return self.sources[name]


@pytest.fixture(scope="module")
def servers(second_ports: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    stack = Stack(second_ports, tmp_path_factory.mktemp("formats"), log="kafka")
    assert isinstance(stack.broker, Kafka)
    servers = Servers(stack, {})
    try:
        stack.broker.launch()
        stack.etcd.start()
        stack.broker.wait()
        yield servers
    finally:
        for source in servers.sources.values():
            source.stop()
        stack.stop()


@pytest.fixture
def cdc(servers: Servers, tmp_path: Path) -> Iterator[CdcServer]:
    """Not started: it has no source yet."""
    unset: Any = None
    server = CdcServer(tmp_path / "cdc", unset, servers.stack.base_port + 3)
    yield server
    server.kill()


@dataclass
class Replay:
    """One recording, a milvus-cdc that reads it, and a target."""

    servers: Servers
    cdc: CdcServer
    target: Target
    recording: Recording
    number: int = field(default_factory=lambda: next(_numbers))

    def start(self, *names: str) -> Task:
        """A task for these collections, begun before the source made them."""
        return self.start_apart([names])[0]

    def start_apart(self, selections: Sequence[Sequence[str]]) -> list[Task]:
        """The same with a task for each."""
        self.cdc.source = self.servers.source(self.recording.root, self.recording)
        self.recording.put_databases(self.servers.stack.etcd)
        self.cdc.start()
        tasks = [self.task(*names) for names in selections]
        self.recording.put_collections(self.servers.stack.etcd)
        return tasks

    def task(self, *names: str) -> Task:
        wanted: dict[str, list[dict[str, str]]] = {}
        databases = {found.name: found.db for found in self.recording.collections()}
        for name in names:
            wanted.setdefault(databases[name], []).append({"name": f"{name}*"})
        mapped = [{"source_db": db, "target_db": self.db(db)} for db in wanted]
        return self.cdc.create(
            milvus_connect_param=self.target.connect_param(),
            db_collections=wanted,
            name_mapping=mapped,
        )

    def db(self, db: str) -> str:
        """Each test has databases of its own on the targets."""
        return f"{db}_{self.number}"

    def wait_for(self, task: Task, name: str) -> str:
        """Its database on the target, once it is there with all rows."""
        db = self.db(next(c.db for c in self.recording.collections() if c.name == name))
        client = self.target.client
        until(f"{name} is on the target", lambda: client.exists(db, name), 30)
        task.wait_safe(timestamp_now(), 60)
        until(f"{name} is loaded", lambda: client.load_state(db, name) == "Loaded", 60)
        return db

    def assert_rows_equal(self, task: Task, name: str, primary: str) -> None:
        """Of types that the pymilvus of these tests knows, bit by bit."""
        db = self.wait_for(task, name)
        expected = self.recording.rows(name, primary)
        assert expected
        place = self.target.place(task, db, name)
        partitions = {partition for partition, _ in expected}
        for partition in partitions:
            wanted = {key: rows[0] for (part, key), rows in expected.items() if part == partition}
            found = place.client.rows(db, name, primary, list(wanted), partition, place.at)
            assert found == wanted
            assert place.client.count(db, name, partition, place.at) == len(wanted)

    def lite(self, *arguments: str) -> Any:
        python = str(places.venv("lite") / "bin" / "python")
        command = [python, "-m", "lab.lite_rows", *arguments]
        done = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def assert_lite_rows_equal(self, task: Task, name: str, primary: str, path: Path) -> Any:
        """Of all types of 2.5, as values."""
        db = self.wait_for(task, name)
        number = str(self.recording.id_of(name))
        messages = str(self.recording.write_messages(path / "messages.txt"))
        expected = self.lite("recorded", messages, number, primary)
        stored = self.lite("stored", self.target.server.uri, db, name, primary)
        for row in stored.values():  # what the target itself has computed
            assert all(row.pop(column) for column in COMPUTED.get(name, ()))
        assert expected
        assert stored == expected
        return stored


def _recording(version: str) -> Recording:
    recording = load_recording(version)
    if version == "2.4.21":
        return recording
    # Without an index and a load nobody could read them on the target.
    recording = recording.with_index("auto1_renamed", 102, AUTOINDEX)
    return recording.with_index("bm", 102, BM25_INDEX)


CAN_HOLD = {
    ("2.4.21", "api"): ["quick"],
    ("2.4.21", "lite"): ["quick"],
    ("2.5.15", "api"): ["quick", "auto1_renamed"],
    ("2.5.15", "lite"): ["quick", "auto1_renamed", "bm"],
}
CANNOT_HOLD = {
    ("2.4.21", "api"): {"a24": "field 'bf' is of type bfloat16 vector (103)"},
    ("2.4.21", "lite"): {"a24": "field 'h' uses Milvus type Float16Vector"},
    ("2.5.15", "api"): {
        "alltypes": "field 'b' of type bool (1) is nullable, which needs Milvus 2.5",
        "vpk": "field 'v' is of type bfloat16 vector (103), which needs Milvus 2.4",
        "bm": "function 'bm25' (BM25) makes field 'sv', which needs Milvus 2.5",
    },
    ("2.5.15", "lite"): {
        "alltypes": "field 'bin' uses Milvus type BinaryVector",
        "vpk": "field 'v' uses Milvus type BFloat16Vector",
    },
}
COMPUTED = {"bm": ("sv",)}
PRIMARY = {"quick": "id", "auto1_renamed": "pk", "bm": "id"}


@pytest.mark.parametrize("mode", ["replicate", "api", "lite"])
@pytest.mark.parametrize("version", ["2.4.21", "2.5.15"])
def test_what_a_target_can_hold_arrives_and_the_rest_is_named(
    servers: Servers, cdc: CdcServer, version: str, mode: str, tmp_path: Path
) -> None:
    kind = "lite" if mode == "lite" else "api"
    replay = Replay(servers, cdc, servers.stack.target(mode), _recording(version))
    refused = CANNOT_HOLD[version, kind]
    task, *others = replay.start_apart([CAN_HOLD[version, kind], *([name] for name in refused)])
    for name in CAN_HOLD[version, kind]:
        if mode == "lite":
            replay.assert_lite_rows_equal(task, name, PRIMARY[name], tmp_path)
        else:
            replay.assert_rows_equal(task, name, PRIMARY[name])
    for other, (name, words) in zip(others, refused.items(), strict=True):
        reason = other.wait_health("failed")
        assert words in reason and name in reason, reason
        assert not replay.target.client.exists(replay.db("default"), name)
        other.delete()
        if mode == "lite":  # looked at when it is made there
            continue
        with pytest.raises(CdcError) as error:  # the source has it by now
            replay.task(name)
        assert words in error.value.message and name in error.value.message
    found = task.get()
    assert (found["state"], found["health"]) == ("Running", "ok"), found


def test_nulls_defaults_and_sparse_vectors_of_2_5(
    servers: Servers, cdc: CdcServer, tmp_path: Path
) -> None:
    """The recorded collection of every type, but for the two that milvus-lite has not."""
    recording = _recording("2.5.15").renamed("by-d2n").without_fields("alltypes", NOT_IN_LITE)
    replay = Replay(servers, cdc, servers.stack.target("lite"), recording)
    task = replay.start("alltypes")
    rows = replay.assert_lite_rows_equal(task, "alltypes", "id", tmp_path)
    assert rows["6"]["ai"] is None and rows["6"]["i8"] is None and rows["6"]["f"] == 3.0
    assert rows["4"]["vc"] == "dflt" and rows["4"]["i16"] == 7
    assert rows["100"]["i64"] == 1000 and "1" not in rows  # upserted, deleted
    assert {"200", "204"} <= rows.keys()  # in a partition of their own


def test_a_function_makes_its_vectors_on_the_target(servers: Servers, cdc: CdcServer) -> None:
    replay = Replay(servers, cdc, servers.stack.target("lite"), _recording("2.5.15"))
    task = replay.start("bm")
    db = replay.wait_for(task, "bm")
    assert replay.lite("search", replay.target.server.uri, db, "bm", "sv", "hello") == [1]


def test_an_import_is_reported(servers: Servers, cdc: CdcServer) -> None:
    """2.3 to 2.5 write no such message into a channel; one of 2.6 without its marks looks so."""
    replay = Replay(servers, cdc, servers.stack.target("api"), _recording("2.5.15"))
    task = replay.start("auto1_renamed")
    replay.wait_for(task, "auto1_renamed")
    header = common_pb2.MsgHeader(base=common_pb2.MsgBase(msg_type=408, timestamp=timestamp_now()))
    number = replay.recording.id_of("auto1_renamed")
    collection = b"\x20" + varint(number)  # ImportMsg.collectionID = 4
    source = servers.source("by-dev", replay.recording)
    source.append("by-dev-rootcoord-dml_3", header.SerializeToString() + collection)
    reason = task.wait_health("warning")
    assert str(number) in reason and "imported" in reason and "by-dev-rootcoord-dml_3" in reason
    task.wait_safe(timestamp_now())  # and it goes on


def test_a_message_of_the_streaming_service_stops_the_task(
    servers: Servers, cdc: CdcServer
) -> None:
    recording = _recording("2.5.15").renamed("by-d26")
    replay = Replay(servers, cdc, servers.stack.target("api"), recording)
    task = replay.start("quick")
    replay.wait_for(task, "quick")
    source = servers.source("by-d26", recording)
    source.append("by-d26-rootcoord-dml_5", b"", (("_v", b"1"), ("_t", b"2")))
    reason = task.wait_health("failed")
    assert "streaming service" in reason and "by-d26-rootcoord-dml_5" in reason, reason
