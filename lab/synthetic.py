"""Many collections in etcd without making them: the keys of a real one, copied under new ids."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from lab.cdc_server import CdcServer
from lab.etcd import Etcd
from lab.places import ROOT
from lab.seeder import Seeded
from lab.stack import Stack

_FIRST_ID = 1_000_000


def message_class(name: str) -> Any:
    """From this repository's definitions, in a pool of their own: pymilvus registers the same."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set.pb"
        protos = ROOT / "proto"
        command = ["protoc", f"-I{protos}", "--include_imports", f"--descriptor_set_out={output}"]
        subprocess.run([*command, str(protos / "milvus" / "meta.proto")], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"cdc.wire.{name}"))


def copy_collection(etcd: Etcd, root: str, copy_root: str, collection: int, count: int) -> None:
    """Puts `count` copies of a collection below `copy_root`, on the channels of the original."""
    meta, copies = f"{root}/meta/root-coord", f"{copy_root}/meta/root-coord"
    info = message_class("CollectionMeta")
    partition = message_class("PartitionMeta")
    databases = etcd.items(f"{meta}/database/db-info/")
    fields = etcd.items(f"{meta}/fields/{collection}/")
    partitions = etcd.items(f"{meta}/partitions/{collection}/")
    every = etcd.items(f"{meta}/database/collection-info/")
    (found,) = (value for key, value in every.items() if key.endswith(f"/{collection}"))
    original = info.FromString(found)
    items = {key.replace(meta, copies): value for key, value in databases.items()}
    for number in range(count):
        copy = info.FromString(original.SerializeToString())
        copy.id = _FIRST_ID + 10 * number
        copy.schema.name = f"copy_{number}"
        del copy.virtual_channel_names[:]
        for shard, channel in enumerate(copy.physical_channel_names):
            copy.virtual_channel_names.append(f"{channel}_{copy.id}v{shard}")
        key = f"{copies}/database/collection-info/{copy.db_id}/{copy.id}"
        items[key] = copy.SerializeToString()
        for key, value in fields.items():
            items[f"{copies}/fields/{copy.id}/{key.rpartition('/')[2]}"] = value
        for offset, value in enumerate(partitions.values(), 1):
            part = partition.FromString(value)
            part.partition_id, part.collection_id = copy.id + offset, copy.id
            items[f"{copies}/partitions/{copy.id}/{part.partition_id}"] = part.SerializeToString()
    etcd.put_all(items)


def amplified(stack: Stack, root: str, count: int) -> CdcServer:
    """A server of its own, not started, for copies of one collection under a root of their own."""
    original = Seeded.create(stack.source_client, root, shards=4)
    described = stack.source_client.describe("default", original.name)
    copy_collection(stack.etcd, "src", root, described.collectionID, count)
    return CdcServer(stack.data / root, stack.source, stack.base_port + 3)
