"""What a Milvus of another version wrote, put into a real etcd and a real Kafka as a source.

The recordings are in tests/golden/replay. Every message comes to stand at the offset that it had,
because the positions in etcd name those: what was between them are time ticks, as it was there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import Producer
from pymilvus.grpc_gen import common_pb2, msg_pb2

from lab.broker import Broker
from lab.etcd import Etcd
from lab.logged_rows import LoggedCollection, Rows
from lab.places import ROOT
from lab.synthetic import message_class

INSERT, DELETE, TIME_TICK = 400, 401, 1200
_DATABASES = "root-coord/database/db-info/"
_COLLECTIONS = "root-coord/database/collection-info/"


def timestamp_now() -> int:
    """As a Milvus of this moment would give it out."""
    return int(time.time() * 1000) << 18


def time_tick(ts: int) -> bytes:
    base = common_pb2.MsgBase(msg_type=TIME_TICK, timestamp=ts, sourceID=1)
    return bytes(msg_pb2.TimeTickMsg(base=base).SerializeToString())


@dataclass(frozen=True)
class Message:
    topic: str
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    payload: bytes

    @property
    def kind(self) -> int:
        header = common_pb2.MsgHeader.FromString(self.payload)
        return int(header.base.msg_type)

    @property
    def ts(self) -> int:
        """The first of its rows, else its own."""
        if self.kind in (INSERT, DELETE):
            message = msg_pb2.InsertRequest if self.kind == INSERT else msg_pb2.DeleteRequest
            return int(message.FromString(self.payload).timestamps[0])
        return int(common_pb2.MsgHeader.FromString(self.payload).base.timestamp)


@dataclass(frozen=True)
class Collection:
    """One that stands in the recorded etcd."""

    id: int
    db: str
    name: str
    partitions: dict[int, str]


@dataclass(frozen=True)
class Recording:
    version: str
    root: str  # the root path in etcd and the prefix of all topics
    keys: dict[str, bytes]  # by key without the root path and the meta sub path
    messages: tuple[Message, ...] = field(repr=False)

    def write_messages(self, path: Path) -> Path:
        """In the form of the golden files, for `lab.lite_rows`."""
        lines = [f"log {m.topic} {m.offset} - {m.payload.hex()}" for m in self.messages]
        path.write_text("\n".join(lines))
        return path

    def id_of(self, name: str) -> int:
        return next(c.id for c in self.collections() if c.name == name)

    def collections(self) -> Iterator[Collection]:
        databases = {
            int(key.rpartition("/")[2]): message_class("DatabaseMeta").FromString(value).name
            for key, value in self.keys.items()
            if key.startswith(_DATABASES) and value != "⛼".encode()
        }
        for key, value in self.keys.items():
            if not key.startswith(_COLLECTIONS) or value == "⛼".encode():
                continue
            info = message_class("CollectionMeta").FromString(value)
            if info.state != 0:
                continue
            parts = [
                message_class("PartitionMeta").FromString(found)
                for part, found in self.keys.items()
                if part.startswith(f"root-coord/partitions/{info.id}/")
            ]
            names = {p.partition_id: p.partition_name for p in parts if p.state == 0}
            yield Collection(info.id, databases[info.db_id], info.schema.name, names)

    def rows(self, name: str, primary: str) -> Rows:
        """What the collection holds after all of the recorded messages."""
        wanted = next(c for c in self.collections() if c.name == name)
        logged = LoggedCollection(primary, wanted.partitions)
        for message in self.messages:
            if message.kind == INSERT:
                insert = msg_pb2.InsertRequest.FromString(message.payload)
                if insert.collectionID == wanted.id:
                    logged.insert(insert)
            elif message.kind == DELETE:
                delete = msg_pb2.DeleteRequest.FromString(message.payload)
                if delete.collectionID == wanted.id:
                    logged.delete(delete)
        return logged.replayed()

    def without_fields(self, name: str, fields: Iterable[str]) -> Recording:
        """The same as if the collection had never had these fields."""
        number, gone = self.id_of(name), set(fields)
        schema = message_class("FieldSchema")
        index = message_class("FieldIndexMeta")
        ids = {
            schema.FromString(value).field_id
            for key, value in self.keys.items()
            if key.startswith(f"root-coord/fields/{number}/")
            and schema.FromString(value).name in gone
        }

        def stays(key: str, value: bytes) -> bool:
            if key.startswith(f"field-index/{number}/"):
                return index.FromString(value).index_info.field_id not in ids
            of_field = key.startswith(f"root-coord/fields/{number}/")
            return not (of_field and int(key.rpartition("/")[2]) in ids)

        def stripped(message: Message) -> Message:
            if message.kind != INSERT:
                return message
            insert = msg_pb2.InsertRequest.FromString(message.payload)
            if insert.collectionID != number:
                return message
            for at in reversed(range(len(insert.fields_data))):
                if insert.fields_data[at].field_name in gone:
                    del insert.fields_data[at]
            return replace(message, payload=bytes(insert.SerializeToString()))

        keys = {key: value for key, value in self.keys.items() if stays(key, value)}
        return replace(self, keys=keys, messages=tuple(map(stripped, self.messages)))

    def with_index(self, name: str, field_id: int, params: dict[str, str]) -> Recording:
        """With an index and a load, without which a Milvus answers no query."""
        number = self.id_of(name)
        info = message_class("FieldIndexMeta")()
        info.index_info.collection_id, info.index_info.field_id = number, field_id
        info.index_info.index_id, info.index_info.index_name = number + 1, f"of_{field_id}"
        for key, value in params.items():
            info.index_info.user_index_params.add(key=key, value=value)
        load = message_class("CollectionLoadMeta")(
            collection_id=number, replica_number=1, status=2, load_type=2
        )
        added = {
            f"field-index/{number}/{number + 1}": info.SerializeToString(),
            f"querycoord-collection-loadinfo/{number}": load.SerializeToString(),
        }
        return replace(self, keys=self.keys | added)

    def renamed(self, root: str) -> Recording:
        """The same under another root path and channel prefix, which must be as long."""
        old, new = self.root.encode(), root.encode()
        assert len(old) == len(new), "the names stand inside of protobuf messages"
        keys = {key: value.replace(old, new) for key, value in self.keys.items()}
        messages = tuple(
            replace(
                message,
                topic=message.topic.replace(self.root, root),
                payload=message.payload.replace(old, new),
            )
            for message in self.messages
        )
        return replace(self, root=root, keys=keys, messages=messages)

    # --- into real servers ----------------------------------------------------------------------

    def put_databases(self, etcd: Etcd) -> None:
        etcd.delete_prefix(f"{self.root}/")
        self._put(etcd, lambda key: key.startswith(_DATABASES))

    def put_collections(self, etcd: Etcd) -> None:
        """As if they had just been made: a collection's own key comes last."""
        self._put(etcd, lambda key: not key.startswith((_DATABASES, _COLLECTIONS)))
        self._put(etcd, lambda key: key.startswith(_COLLECTIONS))

    def _put(self, etcd: Etcd, chosen: object) -> None:
        assert callable(chosen)
        items = {f"{self.root}/meta/{k}": v for k, v in self.keys.items() if chosen(k)}
        etcd.put_all(items)

    def topics(self) -> list[str]:
        """The physical channels."""
        return sorted({m.topic for m in self.messages if "-dml_" in m.topic})


def load_recording(version: str) -> Recording:
    keys: dict[str, bytes] = {}
    messages: list[Message] = []
    path = ROOT / "tests" / "golden" / "replay" / f"{version}.txt"
    root = ""
    for line in path.read_text().splitlines():
        match line.split(" "):
            case ["etcd", key, value]:
                root, _, rest = key.partition("/meta/")
                keys[rest] = bytes.fromhex(value.strip("-"))
            case ["log", topic, offset, headers, payload]:
                pairs = [h.partition("=")[::2] for h in headers.split(";") if h != "-"]
                sent = tuple((name, value.encode()) for name, value in pairs)
                messages.append(Message(topic, int(offset), sent, bytes.fromhex(payload)))
    return Recording(version, root, keys, tuple(messages))


class ReplayedSource:
    """Topics of a Kafka that go on from a recording: writes it, then ticks as a Milvus does.

    Has what CdcServer wants of a source.
    """

    def __init__(self, recording: Recording, etcd: Etcd, broker: Broker) -> None:
        self.name = recording.root
        self.recording = recording
        self.etcd = etcd
        self.broker = broker
        self.rocksmq = Path("unused")
        self._producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5})
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True)

    def start(self) -> ReplayedSource:
        for topic in {message.topic for message in self.recording.messages}:
            self._write(topic)
        self._producer.flush(30)
        self._clock.start()
        return self

    def stop(self) -> None:
        self._ended.set()
        self._clock.join()
        self._producer.flush(10)

    def append(
        self, topic: str, payload: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._produce(topic, payload, headers)
        self._producer.flush(10)

    def _write(self, topic: str) -> None:
        """Each message at its offset. A tick in between is below all that follows."""
        messages = sorted(
            (m for m in self.recording.messages if m.topic == topic), key=lambda m: m.offset
        )
        offset = 0
        for number, message in enumerate(messages):
            below = min(m.ts for m in messages[number:])
            while offset < message.offset:
                self._produce(topic, time_tick(below - 1))
                offset += 1
            self._produce(topic, message.payload, message.headers)
            offset += 1

    def _produce(
        self, topic: str, payload: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._producer.produce(topic, payload, headers=list(headers), partition=0)
        self._producer.poll(0)

    def _tick(self) -> None:
        while not self._ended.wait(0.2):
            tick = time_tick(timestamp_now())
            for topic in self.recording.topics():
                self._produce(topic, tick)
