"""Writers of a chaos run: all kinds of changes, over and over, while the source may vanish.

A write whose answer is lost is not remembered: what counts in the end is what the source holds.
Keys are never inserted twice into one partition, so that no row may be doubled. Upserts alone are
repeated: Milvus writes one as two messages, and killed between them it holds the old row beside the
new one until the next upsert of the key (docs/operations/limits.md).
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, db, utility
from pymilvus.exceptions import MilvusException

from lab.client import Client, Key, ServerError, keys_expression
from lab.seeder import ALL_VECTOR_INDEX, vector_field
from lab.timestamps import write_ts

_DIM = 16
_ONCE = {"retry_times": 0}  # pymilvus repeats a call whose answer is lost: that would double rows
_UPSERT_TRIES = 120
_FAILURES = (MilvusException, ServerError, OSError, AssertionError)


class Writer(threading.Thread):
    """Calls `step` until it is stopped; a failing step is left behind."""

    def __init__(self, client: Client, prefix: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.prefix = prefix
        self.random = random.Random(seed)
        self.values = np.random.default_rng(seed)
        self.written: Counter[str] = Counter()
        self.last_ts = 0
        self._stopping = threading.Event()
        self._next_key = 1

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except _FAILURES:
                self.written["calls that failed at the source"] += 1
                self._stopping.wait(0.5)

    def step(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._stopping.set()
        self.join(120)

    def pause(self, low: float, high: float) -> None:
        self._stopping.wait(self.random.uniform(low, high))

    # --- what steps are made of ----------------------------------------------------------------

    def make(self, name: str, database: str = "default", kind: str = "int_keys") -> Collection:
        key: dict[str, Any] = {"dtype": DataType.INT64, "auto_id": kind == "auto_ids"}
        if kind == "text_keys":
            key = {"dtype": DataType.VARCHAR, "max_length": 64}
        routed = kind == "partition_key"
        schema = CollectionSchema(
            [
                FieldSchema("id", is_primary=True, **key),
                FieldSchema("text", DataType.VARCHAR, max_length=200, is_partition_key=routed),
                vector_field(dim=_DIM),
            ],
            enable_dynamic_field=True,
        )
        made = Collection(name, schema, using=self.client.alias(database), num_shards=2)
        made.create_index("vector", ALL_VECTOR_INDEX, index_name="by_vector")
        made.load(timeout=60)
        self.written["collections"] += 1
        return made

    def rows(self, keys: Sequence[Key]) -> list[dict[str, Any]]:
        return [self.row(key) | {"id": key} for key in keys]

    def row(self, text: object) -> dict[str, Any]:
        return {
            "text": f"{text} at {time.time()}",
            "vector": self.values.random(_DIM, dtype=np.float32).tolist(),
            "extra": self.random.randrange(1000),
        }

    def new_keys(self, count: int) -> list[int]:
        self._next_key += count
        return list(range(self._next_key - count, self._next_key))

    def upsert(self, made: Collection, rows: list[dict[str, Any]], partition: str | None) -> None:
        """Until the source says yes, at most for a minute or two."""
        for more in reversed(range(_UPSERT_TRIES)):
            try:
                result = made.upsert(rows, partition_name=partition, **_ONCE)
                self.note("upserted", len(rows), result)
                return
            except _FAILURES:
                if not more:
                    raise
                self.written["upserts repeated"] += 1
                time.sleep(0.5)

    def note(self, what: str, count: int, result: Any) -> None:
        self.written[what] += count
        self.last_ts = max(self.last_ts, write_ts(result))


KINDS = ("int_keys", "text_keys", "auto_ids", "partition_key")


class RowsWriter(Writer):
    """One collection for good, of one of the KINDS: inserts, deletes and upserts.

    Where partitions can be named there are three, and the same keys in each of them.
    """

    def __init__(self, client: Client, prefix: str, seed: int, kind: str) -> None:
        super().__init__(client, prefix, seed)
        self.kind = kind
        names = [None] if kind == "partition_key" else ["_default", "p0", "p1"]
        self._collection: Collection | None = None
        self._alive: dict[str | None, list[Key]] = {name: [] for name in names}
        # Every key that was ever used, the partition key's and auto ids excepted.
        self.tried: dict[str | None, list[Key]] = {name: [] for name in names}

    def step(self) -> None:
        if self._collection is None:
            made = self.make(self.prefix, kind=self.kind)
            for name in self._alive:
                if name is not None and not made.has_partition(name):
                    made.create_partition(name)
            self._collection = made
        partition = self.random.choice(list(self._alive))
        alive = self._alive[partition]
        dice = self.random.random()
        if dice < 0.6 or len(alive) < 50:
            self._insert(self._collection, partition, self.random.choice([1, 5, 20, 100]))
        elif dice < 0.8 or self.kind == "auto_ids":
            self._delete_some(self._collection, partition, self.random.sample(alive, 20))
        else:
            keys = self.random.sample(alive, 20)
            rows = self.rows(keys)
            if self.kind == "partition_key":  # another value would leave the old row where it is
                for row in rows:
                    row["text"] = self._text_of(row["id"])
            self.upsert(self._collection, rows, partition)
        self.pause(0.1, 0.7)

    def _insert(self, made: Collection, partition: str | None, count: int) -> None:
        if self.kind == "auto_ids":
            rows = [self.row("auto") for _ in range(count)]
            result = made.insert(rows, partition_name=partition, **_ONCE)
            self._alive[partition] += list(result.primary_keys)
        else:
            first = len(self.tried[partition]) + 1
            numbers = range(first, first + count)
            keys: list[Key] = [*numbers]
            if self.kind == "text_keys":
                keys = [f"key '{number}' \"\\é" for number in numbers]
            self.tried[partition] += keys
            rows = self.rows(keys)
            if self.kind == "partition_key":
                for row in rows:
                    row["text"] = self._text_of(row["id"])
            result = made.insert(rows, partition_name=partition, **_ONCE)
            self._alive[partition] += keys
        self.note("inserted", count, result)

    def _text_of(self, key: Key) -> str:
        return f"customer {int(key) % 37}"

    def _delete_some(self, made: Collection, partition: str | None, keys: list[Key]) -> None:
        gone = set(keys)
        everywhere = self.random.random() < 0.5
        for name in self._alive if everywhere else [partition]:
            self._alive[name] = [key for key in self._alive[name] if key not in gone]
        of = None if everywhere else partition
        result = made.delete(keys_expression("id", keys), partition_name=of, **_ONCE)
        self.note("deleted", len(keys), result)


class ChurnWriter(Writer):
    """Collections that come and go under a few names, with partitions, aliases and renames."""

    def step(self) -> None:
        name = f"{self.prefix}_{self.random.randrange(3)}"
        database = self.random.choice(["default", f"{self.prefix}_db"])
        if database != "default" and database not in self.client.databases():
            db.create_database(database, using=self.client.alias())
        using = self.client.alias(database)
        if name in self.client.collections(database):
            self._end(name, database)
        made = self.make(name, database)
        keys = self.new_keys(60)
        self.note("inserted", 60, made.insert(self.rows(keys), **_ONCE))
        made.create_partition("extra")
        more = self.new_keys(30)
        self.note("inserted", 30, made.insert(self.rows(more), partition_name="extra", **_ONCE))
        self.upsert(made, self.rows(keys[:10]), None)
        self.note("deleted", 10, made.delete(keys_expression("id", keys[10:20]), **_ONCE))
        utility.create_alias(name, f"{name}_alias", using=using)
        if self.random.random() < 0.4:
            self._drop_partition(made)
        if self.random.random() < 0.4:
            utility.drop_alias(f"{name}_alias", using=using)
            self._rename(name, f"{name}_renamed", database)
        self.pause(0.2, 2.0)

    def _drop_partition(self, made: Collection) -> None:
        made.release()
        made.drop_partition("extra")
        made.load(timeout=60)
        self.written["partitions dropped"] += 1

    def _rename(self, old: str, new: str, database: str) -> None:
        using = self.client.alias(database)
        if new in self.client.collections(database):
            self._end(new, database)
        utility.rename_collection(old, new, using=using)
        self.written["renames"] += 1

    def _end(self, name: str, database: str) -> None:
        using = self.client.alias(database)
        for alias in self.client.describe(database, name).aliases:
            utility.drop_alias(alias, using=using)
        utility.drop_collection(name, using=using)
        self.written["collections dropped"] += 1
