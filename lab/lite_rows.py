"""Rows of newer Milvus versions as JSON: what a recording says, and what a milvus-lite holds.

Runs in milvus-lite's own Python environment, whose pymilvus knows nulls and sparse vectors:
    python -m lab.lite_rows recorded FILE COLLECTION_ID PRIMARY
    python -m lab.lite_rows stored URI DATABASE COLLECTION PRIMARY
    python -m lab.lite_rows search URI DATABASE COLLECTION VECTOR_FIELD TEXT
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymilvus import MilvusClient
from pymilvus.grpc_gen import common_pb2, msg_pb2

_INSERT, _DELETE = 400, 401
_JSON, _FLOAT_VECTOR, _SPARSE = 23, 101, 104


def _sparse(content: bytes) -> dict[str, float]:
    pairs = [struct.unpack_from("<If", content, at) for at in range(0, len(content), 8)]
    return {str(index): value for index, value in pairs}


def _array(field: Any) -> list[Any]:
    kind = field.WhichOneof("data")
    return list(getattr(field, kind).data) if kind else []


def _column(field: Any) -> list[Any]:
    """One value per row; a null is None. In the log a column has a place for each of its nulls."""
    if field.type == _FLOAT_VECTOR:
        flat, dim = list(field.vectors.float_vector.data), field.vectors.dim
        return [flat[at : at + dim] for at in range(0, len(flat), dim)]
    if field.type == _SPARSE:
        return [_sparse(content) for content in field.vectors.sparse_float_vector.contents]
    kind = field.scalars.WhichOneof("data")
    values = list(getattr(field.scalars, kind).data)
    if kind == "array_data":
        values = [_array(value) for value in values]
    if field.valid_data:
        values = [v if ok else None for v, ok in zip(values, field.valid_data, strict=True)]
    if field.type == _JSON:
        values = [None if value is None else json.loads(value) for value in values]
    return values


def _rows(insert: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(insert.num_rows)]
    for field in insert.fields_data:
        for row, value in zip(rows, _column(field), strict=True):
            if field.is_dynamic:
                row.update(value)
            else:
                row[field.field_name] = value
    return rows


def recorded(path: Path, collection: int, primary: str) -> dict[Any, dict[str, Any]]:
    """By key, after all messages: those of partitions that are dropped do not count."""
    events: list[tuple[int, int, int, Any, Any]] = []
    dropped: set[int] = set()
    for line in path.read_text().splitlines():
        if not line.startswith("log ") or "-dml_" not in line:
            continue
        payload = bytes.fromhex(line.split(" ")[4])
        kind = common_pb2.MsgHeader.FromString(payload).base.msg_type
        if kind == 201:
            dropped.add(msg_pb2.DropPartitionRequest.FromString(payload).partitionID)
        if kind == _INSERT:
            insert = msg_pb2.InsertRequest.FromString(payload)
            if insert.collectionID == collection:
                for ts, row in zip(insert.timestamps, _rows(insert), strict=True):
                    events.append((ts, 1, insert.partitionID, row[primary], row))
        elif kind == _DELETE:
            delete = msg_pb2.DeleteRequest.FromString(payload)
            if delete.collectionID == collection:
                keys = delete.primary_keys
                for ts, key in zip(delete.timestamps, _array_of_ids(keys), strict=True):
                    events.append((ts, 0, delete.partitionID, key, None))
    found: dict[Any, dict[str, Any]] = {}
    for _, _, partition, key, row in sorted(events, key=lambda event: event[:2]):
        if row is None:
            found.pop(key, None)
        elif partition not in dropped:
            found[key] = row
    return found


def _array_of_ids(ids: Any) -> list[Any]:
    kind = ids.WhichOneof("id_field")
    return list(getattr(ids, kind).data) if kind else []


def _plain(value: Any) -> Any:
    """Of what pymilvus answers with, as JSON would have it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "item"):
        return value.item()
    return [_plain(element) for element in value]


def stored(uri: str, db: str, name: str, primary: str) -> dict[Any, dict[str, Any]]:
    client = MilvusClient(uri, db_name=db)
    rows = client.query(name, filter=f"{primary} >= 0", output_fields=["*"], limit=1000)
    return {row[primary]: _plain(row) for row in rows}


def search(uri: str, db: str, name: str, field: str, text: str) -> list[Any]:
    """The keys that a text search finds, the best first."""
    client = MilvusClient(uri, db_name=db)
    (hits,) = client.search(name, data=[text], anns_field=field, limit=10)
    return [hit["id"] for hit in hits]


def main() -> None:
    match sys.argv[1:]:
        case ["recorded", path, collection, primary]:
            print(json.dumps(recorded(Path(path), int(collection), primary)))
        case ["stored", uri, db, name, primary]:
            print(json.dumps(stored(uri, db, name, primary)))
        case ["search", uri, db, name, field, text]:
            print(json.dumps(search(uri, db, name, field, text)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
