"""Writes a collection of float16 vectors: Milvus 2.3.5 takes them, pymilvus 2.3 does not know them.

Only the raw calls that this needs; what it wrote is read and compared as everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from lab.client import Client, keys_expression
from lab.timestamps import write_ts

INT64, FLOAT16_VECTOR = 5, 102
DIM = 6


class Float16Collection:
    """Key `id`, vector `half`, one shard, a FLAT index, loaded. One owner, one thread.

    Milvus 2.3.5 panics when two inserts of such a loaded collection meet between two ticks: write
    again only when the last write can be read.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name
        self._random = np.random.default_rng(7)
        self.last_ts = 0  # of the last acknowledged write
        dim = common_pb2.KeyValuePair(key="dim", value=str(DIM))
        schema = schema_pb2.CollectionSchema(
            name=name,
            fields=[
                schema_pb2.FieldSchema(name="id", data_type=INT64, is_primary_key=True),
                schema_pb2.FieldSchema(name="half", data_type=FLOAT16_VECTOR, type_params=[dim]),
            ],
        )
        create = milvus_pb2.CreateCollectionRequest(
            collection_name=name, schema=schema.SerializeToString(), shards_num=1
        )
        client.call("CreateCollection", create)
        params = {"index_type": "FLAT", "metric_type": "L2", "params": "{}"}
        index = milvus_pb2.CreateIndexRequest(
            collection_name=name,
            field_name="half",
            index_name="by_half",
            extra_params=[common_pb2.KeyValuePair(key=k, value=v) for k, v in params.items()],
        )
        client.call("CreateIndex", index)
        load = milvus_pb2.LoadCollectionRequest(collection_name=name, replica_number=1)
        client.call("LoadCollection", load)

    def insert(self, keys: Sequence[int]) -> None:
        halves = self._random.standard_normal((len(keys), DIM)).astype(np.float16)
        vectors = schema_pb2.VectorField(dim=DIM, float16_vector=halves.tobytes())
        ids = schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=keys))
        request = milvus_pb2.InsertRequest(
            collection_name=self.name,
            num_rows=len(keys),
            fields_data=[
                schema_pb2.FieldData(type=INT64, field_name="id", scalars=ids),
                schema_pb2.FieldData(type=FLOAT16_VECTOR, field_name="half", vectors=vectors),
            ],
        )
        self.last_ts = write_ts(self._client.call("Insert", request))

    def delete(self, keys: Sequence[int]) -> None:
        request = milvus_pb2.DeleteRequest(
            collection_name=self.name, expr=keys_expression("id", keys)
        )
        self.last_ts = write_ts(self._client.call("Delete", request))
