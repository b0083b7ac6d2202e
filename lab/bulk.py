"""Much data fast: many rows of one vector field, written in columns and compared by scan."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema

from lab.client import Client, keys_expression
from lab.seeder import ALL_VECTOR_INDEX, vector_field
from lab.timestamps import write_ts
from lab.waiting import until


@dataclass
class Bulk:
    """A collection (id, n, vector) on the source and the ids that must be alive in it."""

    client: Client
    db: str
    name: str
    dim: int = 128
    seed: int = 1
    last_ts: int = 0
    alive: set[int] = field(default_factory=set)

    def create(self, shards: int = 2) -> Bulk:
        schema = CollectionSchema(
            [
                FieldSchema("id", DataType.INT64, is_primary=True),
                FieldSchema("n", DataType.INT64),
                vector_field(dim=self.dim),
            ]
        )
        made = Collection(self.name, schema, using=self.client.alias(self.db), num_shards=shards)
        made.create_index("vector", ALL_VECTOR_INDEX, index_name="by_vector")
        made.load(timeout=60)
        return self

    @property
    def collection(self) -> Collection:
        return self.client.collection(self.db, self.name)

    def _columns(self, ids: list[int]) -> list[Any]:
        self.seed += 1
        values = np.random.default_rng(self.seed)
        numbers = values.integers(0, 2**31, len(ids)).tolist()
        vectors = values.random((len(ids), self.dim), dtype=np.float32).tolist()
        return [ids, numbers, vectors]

    def insert(self, first: int, count: int, partition: str | None = None) -> None:
        ids = list(range(first, first + count))
        self._note(self.collection.insert(self._columns(ids), partition_name=partition))
        self.alive.update(ids)

    def upsert(self, ids: list[int]) -> None:
        self._note(self.collection.upsert(self._columns(ids)))
        self.alive.update(ids)

    def delete(self, ids: list[int]) -> None:
        self._note(self.collection.delete(keys_expression("id", ids)))
        self.alive.difference_update(ids)

    def _note(self, result: Any) -> None:
        self.last_ts = max(self.last_ts, write_ts(result))


class BulkWriter(threading.Thread):
    """Writes many rows in rounds of one batch per collection, then deletes and upserts some."""

    def __init__(self, all_bulk: list[Bulk], rows: int, batch: int, changed: int) -> None:
        super().__init__(daemon=True)
        self.all_bulk = all_bulk
        self.rows = rows  # of each collection
        self.batch = batch
        self.changed = changed
        self.rounds_done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for first in range(0, self.rows, self.batch):
                for bulk in self.all_bulk:
                    self.insert(bulk, first)
                self.rounds_done += 1
            for bulk in self.all_bulk:
                bulk.delete(list(range(self.changed)))
                bulk.upsert(list(range(self.changed, 2 * self.changed)))
        except BaseException as error:
            self.error = error

    def insert(self, bulk: Bulk, first: int) -> None:
        bulk.insert(first, self.batch)

    def wait_for_round(self, wanted: int) -> None:
        until(f"round {wanted}", lambda: self.rounds_done >= wanted or self.error, 180)

    def finish(self) -> None:
        self.join()
        assert self.error is None, self.error
