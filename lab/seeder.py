"""Writes data of every kind into a Milvus with pymilvus and remembers what it wrote.

`Seeded` is one collection: it knows every key that it ever touched (deleted ones too), how many
rows are alive per partition, and the highest timestamp that the server acknowledged. Values are a
function of a seed, so that a failing run can be repeated.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema

from lab.client import Client, Key, keys_expression
from lab.timestamps import write_ts

DIM = 8
ALL_VECTOR_INDEX = {"index_type": "FLAT", "metric_type": "L2", "params": {}}
BINARY_INDEX = {"index_type": "BIN_FLAT", "metric_type": "HAMMING", "params": {}}

ODD_TEXTS = [
    "",
    " ",
    "'single' and \"double\"",
    "back\\slash \\\\ \\n \\x01",
    "tab\tnewline\nreturn\r",
    "\x01\x02\x1f\x7f",
    "grüße 漢字 שלום 😀 e\u0301",
    "null",
    "%s {0} $1 ${x}",
    "a" * 200,
]
ODD_FLOATS = [0.0, -0.0, 1e-45, 1.17549435e-38, 3.4028234e38, -3.4028234e38, 0.1, 1 / 3]
ODD_DOUBLES = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1 / 3]


def key_field(kind: str, auto_id: bool = False) -> FieldSchema:
    if kind == "int64":
        return FieldSchema("id", DataType.INT64, is_primary=True, auto_id=auto_id)
    return FieldSchema("id", DataType.VARCHAR, is_primary=True, auto_id=auto_id, max_length=512)


def vector_field(kind: str = "float", dim: int = DIM) -> FieldSchema:
    data_type = DataType.FLOAT_VECTOR if kind == "float" else DataType.BINARY_VECTOR
    return FieldSchema("vector", data_type, dim=dim)


def scalar_fields() -> list[FieldSchema]:
    """One field of every scalar type, and an array of every element type."""
    plain = {
        "bool": DataType.BOOL,
        "int8": DataType.INT8,
        "int16": DataType.INT16,
        "int32": DataType.INT32,
        "int64": DataType.INT64,
        "float": DataType.FLOAT,
        "double": DataType.DOUBLE,
        "json": DataType.JSON,
    }
    fields = [FieldSchema(f"f_{name}", kind) for name, kind in plain.items()]
    fields.append(FieldSchema("f_varchar", DataType.VARCHAR, max_length=1024))
    for name, kind in plain.items():
        if name != "json":
            array = FieldSchema(f"a_{name}", DataType.ARRAY, element_type=kind, max_capacity=16)
            fields.append(array)
    fields.append(
        FieldSchema(
            "a_varchar",
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=16,
            max_length=256,
        )
    )
    return fields


class Values:
    """Random values per field type, odd ones often."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def _int(self, bits: int) -> int:
        edge = 1 << (bits - 1)
        return self.random.choice(
            [0, -1, edge - 1, -edge, self.random.randrange(-edge, edge), self.random.randrange(9)]
        )

    def text(self, limit: int = 200) -> str:
        return self.random.choice([*ODD_TEXTS, f"text {self.random.random()}"])[:limit]

    def json(self, depth: int = 0) -> Any:
        pick = self.random.randrange(8 if depth < 2 else 6)
        if pick == 6:
            return [self.json(depth + 1) for _ in range(self.random.randrange(4))]
        if pick == 7:
            return {f"k{i}": self.json(depth + 1) for i in range(self.random.randrange(4))}
        scalars = [None, True, self._int(53), self.random.random(), self.text(), -0.5]
        return scalars[pick]

    def scalar(self, data_type: DataType) -> Any:
        match data_type:
            case DataType.BOOL:
                return self.random.random() < 0.5
            case DataType.INT8 | DataType.INT16 | DataType.INT32 | DataType.INT64:
                bits = {2: 8, 3: 16, 4: 32, 5: 64}[int(data_type)]
                return self._int(bits)
            case DataType.FLOAT:
                value = self.random.choice([*ODD_FLOATS, self.random.gauss(0, 1e3)])
                return struct.unpack("<f", struct.pack("<f", value))[0]
            case DataType.DOUBLE:
                return self.random.choice([*ODD_DOUBLES, self.random.gauss(0, 1e3)])
            case DataType.VARCHAR:
                return self.text()
            case DataType.JSON:
                return {"value": self.json(), "n": self.random.randrange(100)}
            case _:
                raise ValueError(f"no values for {data_type}")

    def of(self, schema: FieldSchema) -> Any:
        if schema.dtype == DataType.ARRAY:
            return [self.scalar(schema.element_type) for _ in range(self.random.randrange(5))]
        if schema.dtype == DataType.FLOAT_VECTOR:
            odd = self.random.random() < 0.2
            count = schema.params["dim"]
            if odd:
                return [self.random.choice(ODD_FLOATS[:4]) for _ in range(count)]
            return [float(np.float32(self.random.random())) for _ in range(count)]
        if schema.dtype == DataType.BINARY_VECTOR:
            return self.random.randbytes(schema.params["dim"] // 8)
        return self.scalar(schema.dtype)


def odd_keys(count: int, seed: int = 1) -> list[str]:
    """Varchar keys with quotes, backslashes, control characters and any UTF-8."""
    chooser = random.Random(seed)
    alphabet = "abc'\"\\\n\t\r\x01\x1f\x7f%_ äß漢😀\u0301{}[]()$,;|&"
    keys = [text for text in ODD_TEXTS if text]
    while len(keys) < count:
        key = "".join(chooser.choice(alphabet) for _ in range(chooser.randrange(1, 20)))
        if key not in keys:
            keys.append(key)
    return keys[:count]


@dataclass
class Seeded:
    """A collection on the source, and the memory of what was written into it."""

    client: Client
    db: str
    name: str
    schema: CollectionSchema
    seed: int = 1
    last_ts: int = 0
    touched: dict[str | None, set[Key]] = field(default_factory=dict)
    live: dict[str | None, Counter[Key]] = field(default_factory=dict)
    _next_key: int = 1
    _values: Values = field(init=False)

    def __post_init__(self) -> None:
        self._values = Values(self.seed)

    @property
    def channels(self) -> list[str]:
        """The topics that its rows go to."""
        return sorted(self.client.describe(self.db, self.name).physical_channel_names)

    # --- making -------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        client: Client,
        name: str,
        *,
        db: str = "default",
        key: str = "int64",
        auto_id: bool = False,
        fields: Sequence[FieldSchema] | None = None,
        vector: str = "float",
        dim: int = DIM,
        dynamic: bool = False,
        shards: int = 2,
        description: str = "",
        seed: int = 1,
        **create_arguments: Any,
    ) -> Seeded:
        """Creates the collection (key `id`, the fields, a vector) and remembers it."""
        middle = [FieldSchema("n", DataType.INT64)] if fields is None else list(fields)
        schema = CollectionSchema(
            [key_field(key, auto_id), *middle, vector_field(vector, dim)],
            description=description,
            enable_dynamic_field=dynamic,
        )
        Collection(name, schema, using=client.alias(db), num_shards=shards, **create_arguments)
        return cls(client, db, name, schema, seed)

    @property
    def collection(self) -> Collection:
        return self.client.collection(self.db, self.name)

    def index_and_load(self, **load_arguments: Any) -> Seeded:
        binary = self.schema.fields[-1].dtype == DataType.BINARY_VECTOR
        self.collection.create_index(
            "vector", BINARY_INDEX if binary else ALL_VECTOR_INDEX, index_name="by_vector"
        )
        self.collection.load(timeout=60, **load_arguments)
        return self

    def forget_rows(self) -> None:
        """For a collection that was dropped and made anew."""
        self.touched.clear()
        self.live.clear()

    # --- writing ------------------------------------------------------------------------------

    @property
    def _auto_id(self) -> bool:
        return bool(self.schema.auto_id)

    @property
    def _partitioned_by_key(self) -> bool:
        return any(f.is_partition_key for f in self.schema.fields)

    def _part(self, partition: str | None) -> str | None:
        if self._partitioned_by_key:
            return None
        return partition or "_default"

    def _new_keys(self, count: int) -> list[Key]:
        first = self._next_key
        self._next_key += count
        text = self.schema.primary_field.dtype == DataType.VARCHAR
        return [f"key-{i}" if text else i for i in range(first, first + count)]

    def row(self, key: Key | None, **fixed: Any) -> dict[str, Any]:
        row = {
            f.name: self._values.of(f)
            for f in self.schema.fields
            if not f.is_primary and f.name not in fixed
        }
        if self.schema.enable_dynamic_field and self._values.random.random() < 0.8:
            row |= {"dyn_text": self._values.text(), "dyn_json": self._values.json(1)}
        if key is not None:
            row["id"] = key
        return row | fixed

    def _note(self, result: Any) -> None:
        self.last_ts = max(self.last_ts, write_ts(result))

    def insert(
        self,
        count: int = 10,
        *,
        keys: Sequence[Key] | None = None,
        partition: str | None = None,
        **fixed: Any,
    ) -> list[Key]:
        """Inserts rows (a key that exists gives a second row, as Milvus does); returns the keys."""
        if self._auto_id:
            rows = [self.row(None, **fixed) for _ in range(count)]
        else:
            rows = [self.row(k, **fixed) for k in (keys or self._new_keys(count))]
        result = self.collection.insert(rows, partition_name=partition)
        self._note(result)
        written: list[Key] = list(result.primary_keys)
        part = self._part(partition)
        self.touched.setdefault(part, set()).update(written)
        self.live.setdefault(part, Counter()).update(written)
        return written

    def delete(self, keys: Sequence[Key], partition: str | None = None) -> None:
        """Deletes these keys in one partition, or in all when none is named."""
        result = self.collection.delete(keys_expression("id", keys), partition_name=partition)
        self._note(result)
        gone = set(keys)
        for part, rows in self.live.items():
            if partition is None or part == self._part(partition):
                self.live[part] = Counter({k: n for k, n in rows.items() if k not in gone})

    def upsert(self, keys: Sequence[Key], partition: str | None = None, **fixed: Any) -> None:
        """Upserts new values; it replaces rows of the same key in the same partition only."""
        rows = [self.row(k, **fixed) for k in keys]
        self._note(self.collection.upsert(rows, partition_name=partition))
        part = self._part(partition)
        self.touched.setdefault(part, set()).update(keys)
        alive = self.live.setdefault(part, Counter())
        for key in keys:
            alive[key] = 1

    # --- what must be there -------------------------------------------------------------------

    def keys(self) -> dict[str | None, list[Key]]:
        """Every key ever written, per partition: what a comparison has to look at."""
        if not self.touched:
            return {self._part(None): []}
        return {part: sorted(keys, key=repr) for part, keys in self.touched.items()}

    def check_source(self) -> list[str]:
        """Does the source itself hold what was written? Keeps a comparison from being empty."""
        found: list[str] = []
        for part, rows in self.live.items():
            wanted = sum(rows.values())
            seen = self.client.count(self.db, self.name, part)
            if seen != wanted:
                found.append(f"source {self.name} partition {part}: {seen} rows, wrote {wanted}")
        return found

    @property
    def rows_alive(self) -> int:
        return sum(sum(rows.values()) for rows in self.live.values())
