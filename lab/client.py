"""Reads and changes one Milvus.

Changes go through pymilvus, as a user's would. Reads go through its raw stub, so that a comparison
sees the bits that the server sent and not what a client library made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from pymilvus import Collection, connections
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

Key = int | str
Row = dict[str, Any]

EVENTUALLY = 1  # a guarantee timestamp that everything satisfies
_STRONG = 0
_CUSTOMIZED = 4  # "use exactly the guarantee timestamp of the request"
_TIMEOUT = 30.0
_NO_INDEX = ("index not found", "index not exist", "no index on collection")


class ServerError(AssertionError):
    """A Milvus answered with an error. An AssertionError, so that waiting loops go on."""

    def __init__(self, call: str, code: int, reason: str) -> None:
        super().__init__(f"{call}: code {code}: {reason}")
        self.code = code
        self.reason = reason


def _checked(call: str, answer: Any) -> Any:
    status = answer if isinstance(answer, common_pb2.Status) else answer.status
    if status.code != 0 or status.error_code != 0:
        raise ServerError(call, status.code or status.error_code, status.reason)
    return answer


def quote(text: str) -> str:
    """A varchar key as a literal of a Milvus expression.

    Only what must be is escaped: Milvus and milvus-lite both take every other character as it is,
    and milvus-lite refuses the escape for hexadecimal codes.
    """
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def keys_expression(primary: str, keys: Iterable[Key]) -> str:
    literals = (quote(key) if isinstance(key, str) else str(key) for key in keys)
    return f"{primary} in [{','.join(literals)}]"


@dataclass(frozen=True)
class Index:
    """One index as its creator wrote it."""

    name: str
    field: str
    params: tuple[tuple[str, str], ...]


class Client:
    """One server; a pymilvus connection per database is made on first use."""

    def __init__(
        self, uri: str, label: str, token: str = "", tls: Mapping[str, str] | None = None
    ) -> None:
        """`token`: user:password, for a server that asks for it; `tls`: where pymilvus shall find
        certificates and which name they have, for one of https."""
        self.uri = uri
        self.label = label
        self.token = token
        self.tls = dict(tls or {})

    def alias(self, db: str = "default") -> str:
        """The pymilvus connection alias for this database (`using=` of its calls)."""
        name = f"{self.label}/{self.uri}/{db}"
        if not connections.has_connection(name):
            db_name = "" if db == "default" else db
            connections.connect(name, uri=self.uri, db_name=db_name, token=self.token, **self.tls)
        return name

    def close(self) -> None:
        for name, _ in connections.list_connections():
            if name.startswith(f"{self.label}/{self.uri}/"):
                connections.remove_connection(name)

    def collection(self, db: str, name: str) -> Collection:
        return Collection(name, using=self.alias(db))

    @property
    def stub(self) -> Any:
        return connections._fetch_handler(self.alias())._stub

    def call(self, method: str, request: Any, timeout: float = _TIMEOUT) -> Any:
        """The raw call; raises ServerError when it fails or the server says so."""
        # A 2.3.5 looks for privileges in the database of the header, not in that of the request.
        db = getattr(request, "db_name", "")
        metadata = [("dbname", db)] if db else None
        try:
            answer = getattr(self.stub, method)(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise ServerError(f"{self.label}: {method}", -1, str(error)) from None
        return _checked(f"{self.label}: {method}", answer)

    # --- metadata -----------------------------------------------------------------------------

    def databases(self) -> list[str]:
        return sorted(self.call("ListDatabases", milvus_pb2.ListDatabasesRequest()).db_names)

    def collections(self, db: str = "default") -> list[str]:
        request = milvus_pb2.ShowCollectionsRequest(db_name=db)
        return sorted(self.call("ShowCollections", request).collection_names)

    def everything(self) -> list[tuple[str, str]]:
        """All collections of all databases, as (database, name), in order."""
        return [(db, name) for db in self.databases() for name in self.collections(db)]

    def describe(self, db: str, name: str) -> Any:
        request = milvus_pb2.DescribeCollectionRequest(db_name=db, collection_name=name)
        return self.call("DescribeCollection", request)

    def exists(self, db: str, name: str) -> bool:
        return (db == "default" or db in self.databases()) and name in self.collections(db)

    def list_aliases(self, db: str, name: str) -> list[str]:
        """By a call of its own; Milvus 2.3 tells the aliases with `describe`, milvus-lite not."""
        request = milvus_pb2.ListAliasesRequest(db_name=db, collection_name=name)
        return sorted(self.call("ListAliases", request).aliases)

    def partitions(self, db: str, name: str) -> list[str]:
        request = milvus_pb2.ShowPartitionsRequest(db_name=db, collection_name=name)
        return sorted(self.call("ShowPartitions", request).partition_names)

    def partition_ids(self, db: str, name: str) -> dict[int, str]:
        request = milvus_pb2.ShowPartitionsRequest(db_name=db, collection_name=name)
        answer = self.call("ShowPartitions", request)
        return dict(zip(answer.partitionIDs, answer.partition_names, strict=True))

    def indexes(self, db: str, name: str) -> list[Index]:
        request = milvus_pb2.DescribeIndexRequest(db_name=db, collection_name=name)
        try:
            answer = self.call("DescribeIndex", request)
        except ServerError as error:
            if any(text in error.reason for text in _NO_INDEX):
                return []
            raise
        found = [
            Index(i.index_name, i.field_name, tuple(sorted((p.key, p.value) for p in i.params)))
            for i in answer.index_descriptions
        ]
        return sorted(found, key=lambda index: (index.field, index.name))

    def load_state(self, db: str, name: str, partition: str | None = None) -> str:
        """NotLoad, Loading or Loaded."""
        request = milvus_pb2.GetLoadStateRequest(
            db_name=db, collection_name=name, partition_names=[partition] if partition else []
        )
        state = self.call("GetLoadState", request).state
        return str(common_pb2.LoadState.Name(state)).removeprefix("LoadState")

    # --- rows ---------------------------------------------------------------------------------

    def _query(
        self, db: str, name: str, expr: str, fields: list[str], part: str | None, at: int | None
    ) -> Any:
        request = milvus_pb2.QueryRequest(
            db_name=db,
            collection_name=name,
            expr=expr,
            output_fields=fields,
            partition_names=[part] if part else [],
            guarantee_timestamp=at or 0,
            consistency_level=_STRONG if at is None else _CUSTOMIZED,
        )
        return self.call("Query", request)

    def count(
        self,
        db: str,
        name: str,
        partition: str | None = None,
        at: int | None = None,
        expr: str = "",
    ) -> int:
        """count(*): rows, not distinct keys. `at`: guarantee timestamp; None reads Strong."""
        answer = self._query(db, name, expr, ["count(*)"], partition, at)
        return int(answer.fields_data[0].scalars.long_data.data[0])

    def query(
        self, db: str, name: str, expr: str, partition: str | None = None, at: int | None = None
    ) -> list[Row]:
        """All rows that match, every field; floats and vectors as their bytes."""
        return rows_of(self._query(db, name, expr, ["*"], partition, at).fields_data)

    def rows(
        self,
        db: str,
        name: str,
        primary: str,
        keys: Sequence[Key],
        partition: str | None = None,
        at: int | None = None,
        batch: int = 500,
    ) -> dict[Key, Row]:
        """The rows with these keys, read in batches of keys."""
        found: dict[Key, Row] = {}
        for start in range(0, len(keys), batch):
            expr = keys_expression(primary, keys[start : start + batch])
            for row in self.query(db, name, expr, partition, at):
                found[row[primary]] = row
        return found

    def scan(
        self, db: str, name: str, primary: str, partition: str | None, at: int | None
    ) -> dict[Key, Row]:
        """All rows of an int64-key collection without an iterator and without knowing the keys.

        Finds the range of the keys, then splits it by count(*) until a part fits one answer.
        """

        def between(low: int, high: int) -> str:
            return f"{primary} >= {low} and {primary} <= {high}"

        edge = 2**63 - 1  # 2.3 cannot parse the literal -2^63
        total = self.count(db, name, partition, at, between(-edge, edge))
        low, high = -1, 2**12
        while high < edge and self.count(db, name, partition, at, between(low, high)) < total:
            high = min(high * 8, edge)
            low = -high
        found: dict[Key, Row] = {}
        todo = [(low, high)]
        while todo:
            low, high = todo.pop()
            expr = between(low, high)
            rows = self.count(db, name, partition, at, expr)
            if rows > 8000 and low < high:
                middle = (low + high) // 2
                todo += [(low, middle), (middle + 1, high)]
            elif rows:
                found |= {r[primary]: r for r in self.query(db, name, expr, partition, at)}
        return found


def _scalars(field: Any) -> list[Any]:
    """One value per row; floats as bytes, so that -0.0, NaN and the last bit count."""
    kind = field.WhichOneof("data")
    data = getattr(field, kind).data if kind else []
    if kind == "float_data":
        return [np.float32(value).tobytes() for value in data]
    if kind == "double_data":
        return [np.float64(value).tobytes() for value in data]
    if kind == "array_data":
        return [tuple(_scalars(element)) for element in data]
    return list(data)


def _vectors(field: Any) -> list[bytes]:
    kind = field.WhichOneof("data")
    if kind == "float_vector":
        raw = np.asarray(field.float_vector.data, dtype=np.float32).tobytes()
        width = field.dim * 4
    else:
        raw = getattr(field, kind)
        width = field.dim // 8 if kind == "binary_vector" else field.dim * 2
    return [raw[start : start + width] for start in range(0, len(raw), width)]


def rows_of(fields: Iterable[schema_pb2.FieldData]) -> list[Row]:
    """Columns of an answer, or of a message, as rows."""
    columns: dict[str, list[Any]] = {}
    for field in fields:
        vectors = field.WhichOneof("field") == "vectors"
        name = field.field_name
        columns[name] = _vectors(field.vectors) if vectors else _scalars(field.scalars)
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
