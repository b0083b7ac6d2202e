"""The rows that a Milvus holds by its own log: all that it accepted, replayed in the order of time.

A Milvus 2.3.5 that was killed may show fewer rows than it has accepted, or rows that were deleted
(docs/formats/seen-on-servers.md). What reached it can still be counted here, every field of every
row. Independent of milvus-cdc on purpose: neither its readers nor its decoders take part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pymilvus.grpc_gen import common_pb2, msg_pb2
from rocksdict import AccessType, Options, Rdict

from lab.client import Client, Key, Row, rows_of
from lab.comparer import limited
from lab.milvus import Milvus

_INSERT, _DELETE = 400, 401
_ALL_PARTITIONS = -1

Name = tuple[str, str]  # database, collection
Rows = dict[tuple[str, Key], list[Row]]  # by partition and key, in the order of their insertion


class _Event(NamedTuple):
    """At one timestamp a delete precedes the inserts, as an upsert means it."""

    ts: int
    is_insert: bool
    number: int
    partition: int
    key: Key
    row: Row | None


@dataclass
class LoggedCollection:
    primary: str
    # Those that are there now; rows of others went with them. Which partition a partition key leads
    # to is the server's own matter: there they all have one name.
    partitions: dict[int, str]
    events: list[_Event] = field(default_factory=list)

    def insert(self, message: Any) -> None:
        for ts, row in zip(message.timestamps, rows_of(message.fields_data), strict=True):
            self._add(ts, True, message.partitionID, row[self.primary], row)

    def delete(self, message: Any) -> None:
        kind = message.primary_keys.WhichOneof("id_field")
        keys = getattr(message.primary_keys, kind).data if kind else message.int64_primary_keys
        for ts, key in zip(message.timestamps, keys, strict=True):
            self._add(ts, False, message.partitionID, key, None)

    def _add(self, ts: int, is_insert: bool, partition: int, key: Key, row: Row | None) -> None:
        self.events.append(_Event(ts, is_insert, len(self.events), partition, key, row))

    def replayed(self) -> Rows:
        rows: Rows = {}
        for event in sorted(self.events, key=lambda event: event[:3]):
            if event.row is not None:
                if event.partition in self.partitions:
                    at = (self.partitions[event.partition], event.key)
                    rows.setdefault(at, []).append(event.row)
                continue
            everywhere = event.partition == _ALL_PARTITIONS
            for partition in self.partitions if everywhere else [event.partition]:
                rows.pop((self.partitions.get(partition, ""), event.key), None)
        return rows


def _messages(server: Milvus) -> Iterator[bytes]:
    """Of all data channels; what is written during the reading is not seen."""
    channels = f"{server.name}-rootcoord-dml_"
    if server.broker is None:
        yield from _rocksmq_messages(server, channels.encode())
        return
    for topic in server.broker.topics(channels):
        yield from server.broker.payloads(topic)


def _rocksmq_messages(server: Milvus, prefix: bytes) -> Iterator[bytes]:
    options = Options(raw_mode=True)
    log = Rdict(str(server.rocksmq), options=options, access_type=AccessType.read_only())
    try:
        for key, value in log.items(from_key=prefix):
            assert isinstance(key, bytes) and isinstance(value, bytes)  # raw mode
            if not key.startswith(prefix):
                break
            yield value
    finally:
        log.close()


def is_insert(payload: bytes) -> bool:
    return bool(common_pb2.MsgHeader.FromString(payload).base.msg_type == _INSERT)


def logged_rows(server: Milvus, client: Client, names: Iterable[Name]) -> dict[Name, Rows]:
    """What these collections hold, in one pass over the log. The server must be up to name ids."""
    collections: dict[int, LoggedCollection] = {}
    ids: dict[Name, int] = {}
    for db, name in names:
        described = client.describe(db, name)
        primary = next(f.name for f in described.schema.fields if f.is_primary_key)
        ids[db, name] = described.collectionID
        partitions = client.partition_ids(db, name)
        if any(f.is_partition_key for f in described.schema.fields):
            partitions = dict.fromkeys(partitions, "(any)")
        collections[described.collectionID] = LoggedCollection(primary, partitions)
    header = common_pb2.MsgHeader()
    seen: set[tuple[int, int]] = set()
    for payload in _messages(server):
        header.ParseFromString(payload)
        if server.broker is not None and header.base.msg_type in (_INSERT, _DELETE):
            # A producer that lost its broker writes again what was not acknowledged.
            message = (header.base.msg_type, header.base.msgID)
            if message in seen:
                continue
            seen.add(message)
        if header.base.msg_type == _INSERT:
            insert = msg_pb2.InsertRequest.FromString(payload)
            if insert.collectionID in collections:
                collections[insert.collectionID].insert(insert)
        elif header.base.msg_type == _DELETE:
            delete = msg_pb2.DeleteRequest.FromString(payload)
            if delete.collectionID in collections:
                collections[delete.collectionID].delete(delete)
    return {name: collections[number].replayed() for name, number in ids.items()}


def count(rows: Rows) -> int:
    return sum(len(copies) for copies in rows.values())


def compare_logged(name: Name, source: Rows, target: Rows) -> list[str]:
    """The differences, empty when every field of every row is equal and none is there twice."""
    where = ".".join(name)
    found = []
    for partition, key in sorted(source.keys() | target.keys(), key=repr):
        left, right = source.get((partition, key), []), target.get((partition, key), [])
        if len(left) != len(right):
            found.append(f"{len(left)} at the source, {len(right)} at the target")
        elif left != right:
            fields = [f for a, b in zip(left, right, strict=True) for f in a if a[f] != b.get(f)]
            found.append(f"fields differ: {', '.join(sorted(set(fields)))}")
        else:
            continue
        found[-1] = f"{where} partition {partition} key {key!r}: {found[-1]}"
    return limited(found)
