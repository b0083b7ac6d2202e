"""What an operator may get wrong, planted on real servers, and what has to be said of it."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymilvus import DataType, FieldSchema

from lab import places, wire
from lab.cdc_server import CdcServer
from lab.milvus import Milvus
from lab.planted import TARGET_TOKEN
from lab.seeder import Seeded
from lab.synthetic import copy_collection, message_class
from tests.integration.scenario import Scenario

NOBODY = "127.0.0.1:9"
SPARSE_VECTOR = 104  # a field type of Milvus 2.4
Request = dict[str, Any]


@dataclass
class World:
    """All is right until a case has planted its mistake."""

    scenario: Scenario
    own: CdcServer  # for another configuration
    folder: Path
    seeded: Seeded  # a collection of the source that the task shall replicate; not loaded
    get: Callable[[str], Any]  # a fixture by its name
    undo: contextlib.ExitStack
    server: CdcServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = self.scenario.cdc

    def request(self, **changes: Any) -> Request:
        return self.scenario.request(**changes)

    def only(self, name: str, **more: Any) -> Request:
        """The selection of one collection."""
        return {"default": [{"name": name, **more}]}

    def param(self, **changes: Any) -> Request:
        return self.scenario.target.connect_param() | changes

    def configured(self, *, replace: tuple[str, str] = ("", ""), **changes: str) -> Request:
        """A server of its own with this configuration, and an ordinary request for it."""
        text = self.own.configuration(**changes)
        assert replace[0] in text
        self.server = self.own.start(text.replace(*replace) if replace[0] else text)
        return self.request()


# --- what is planted ----------------------------------------------------------------------------


def _unreadable_store(world: World) -> Request:
    """The store is there, and this server may not look into it."""
    store = world.folder / "rocksmq"
    store.mkdir()
    (store / "CURRENT").touch()
    store.chmod(0)
    world.undo.callback(store.chmod, 0o700)
    if os.geteuid() == 0:  # root has to be kept from reading everything
        world.own.wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    return world.configured(rocksmq=str(store))


def _no_store(world: World) -> Request:
    folder = world.folder / "no-store"
    folder.mkdir()
    return world.configured(rocksmq=str(folder))


def _store_of_another(world: World) -> Request:
    server = world.scenario.target.server
    assert isinstance(server, Milvus)
    return world.configured(rocksmq=str(server.rocksmq))


def _wrong_kafka(world: World) -> Request:
    return world.configured(log=f"  kafka:\n    address: {NOBODY}")


def _wrong_pulsar(world: World) -> Request:
    lines = ["  pulsar:", f"    address: pulsar://{NOBODY}", f"    library: {places.libpulsar()}"]
    return world.configured(log="\n".join(lines))


def _wrong_operations(world: World) -> Request:
    right = f"{world.own.source.name}-replicate-msg"
    return world.configured(replace=(right, "other-replicate-msg"))


def _frozen_source(world: World) -> Request:
    source = world.scenario.stack.source
    world.undo.callback(source.thaw)
    source.freeze()
    return world.request()


def _field_of_a_later_milvus(world: World) -> Request:
    """In etcd only: the source cannot make such a collection either."""
    scenario = world.scenario
    etcd, root = scenario.stack.etcd, scenario.name("later")
    described = scenario.source.describe("default", world.seeded.name)
    copy_collection(etcd, scenario.stack.source.name, root, described.collectionID, 1)
    world.undo.callback(etcd.delete_prefix, f"{root}/")
    kind = message_class("FieldSchema")
    for key, value in etcd.items(f"{root}/meta/root-coord/fields/").items():
        schema = kind.FromString(value)
        if schema.name == "vector":
            schema.data_type = SPARSE_VECTOR
            etcd.put_all({key: schema.SerializeToString()})
    world.configured(root_path=root)
    name = {"copy_0": scenario.name("copy")}  # so that it is not in the way of others
    mapping = {"source_db": "default", "target_db": "default", "collection_mapping": name}
    return world.request(db_collections=world.only("copy_0"), name_mapping=[mapping])


def _no_more_tasks(world: World) -> Request:
    request = world.configured(replace=("maxTaskNum: 100", "maxTaskNum: 1"))
    world.server.create(blackhole_connect_param={}, collection_infos=[{"name": "unused_*"}])
    return request


def _etcd_as_target(world: World) -> Request:
    uri = f"http://{world.scenario.stack.etcd.address}"
    return world.request(milvus_connect_param=world.param(uri=uri, connect_timeout=1))


def _tls_to_a_plain_target(world: World) -> Request:
    uri = world.scenario.target.server.uri.replace("http:", "https:")
    return world.request(milvus_connect_param=world.param(uri=uri, connect_timeout=1))


def _wrong_token(world: World) -> Request:
    guarded: Milvus = world.get("guarded")
    param = world.param(uri=guarded.uri, mode="api", token=TARGET_TOKEN)
    return world.request(milvus_connect_param=param)


def _source_as_target(world: World) -> Request:
    return world.request(milvus_connect_param=world.param(uri=world.scenario.source.uri))


def _two_on_one_name(world: World) -> Request:
    other = world.scenario.seed("b", load=False)
    mapping = {
        "source_db": "default",
        "target_db": "default",
        "collection_mapping": {other.name: world.seeded.name},
    }
    return world.request(name_mapping=[mapping])


def _stranger(world: World) -> Request:
    Seeded.create(world.scenario.target.client, world.seeded.name)
    return world.request()


def _stranger_of_another_schema(world: World) -> Request:
    other = [FieldSchema("other", DataType.VARCHAR, max_length=9)]
    Seeded.create(world.scenario.target.client, world.seeded.name, fields=other)
    return world.request(adopt=True)


def _other_shards(world: World) -> Request:
    """An earlier task has left a collection of two shards under the name of one that has one."""
    scenario, name = world.scenario, world.scenario.name("copy")
    mapping = {
        "source_db": "default",
        "target_db": "default",
        "collection_mapping": {world.seeded.name: name},
    }
    earlier = world.request(db_collections=world.only(world.seeded.name), name_mapping=[mapping])
    task = world.server.create(**earlier)
    scenario.wait_on_target(name)
    task.delete()
    scenario.seed("copy", shards=1, load=False)
    return world.request(db_collections=world.only(name), adopt=True)


def _keys_of_the_source(world: World) -> Request:
    world.seeded = world.scenario.seed("auto", auto_id=True, load=False)
    return world.request(db_collections=world.only(world.seeded.name))


def _clash(world: World) -> Request:
    selection = world.only(world.seeded.name)
    world.scenario.start_task(db_collections=selection)
    return world.request(db_collections=selection)


def _id_of_another(world: World) -> Request:
    return world.request(task_id=world.scenario.start_task().task_id)


def _position(channel: str) -> str:
    """The first message that there ever was."""
    message = (1).to_bytes(8, "little")
    return base64.b64encode(wire.field(1, channel.encode()) + wire.field(2, message)).decode()


def _forgotten_positions(world: World) -> Request:
    positions = {channel: _position(channel) for channel in world.seeded.channels}
    return world.request(db_collections=world.only(world.seeded.name, positions=positions))


def _position_of_another_collection(world: World) -> Request:
    positions = {"other-rootcoord-dml_99": _position("other-rootcoord-dml_99")}
    return world.request(db_collections=world.only(world.seeded.name, positions=positions))


# --- what is said of it -------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    name: str
    check: str
    words: str  # of the finding
    plant: Callable[[World], Request]
    created: str | None = None  # words of the refusal, or of the task's complaint; None: as `words`
    works: bool = False  # a warning: the task runs all the same
    later: str = ""  # it waits for a collection, and then for one of this name
    known_to_doctor: bool = True  # who knows of no tasks
    beside: frozenset[str] = frozenset()  # other checks that may have something to say


def _requested(
    name: str, check: str, words: str, changes: Callable[[World], Request], **more: Any
) -> Case:
    """What the request alone has wrong."""
    return Case(name, check, words, lambda world: world.request(**changes(world)), **more)


def _mode(mode: str) -> Callable[[World], Request]:
    return lambda world: {"milvus_connect_param": world.param(mode=mode)}


ON_API = [
    Case(
        "etcd-port",
        "source.etcd",
        NOBODY,
        lambda world: world.configured(etcd_address=NOBODY),
    ),
    Case(
        "root-path",
        "source.metadata",
        "found: ",
        lambda world: world.configured(root_path="not-a-milvus"),
    ),
    Case(
        "meta-sub-path",
        "source.metadata",
        "with meta sub path meta",
        lambda world: world.configured(replace=("metaSubPath: meta", "metaSubPath: mata")),
    ),
    Case(
        "rocksmq-path",
        "source.log",
        "/nonexistent/rocksmq",
        lambda world: world.configured(rocksmq="/nonexistent/rocksmq"),
    ),
    Case("no-store", "source.log", "no-store", _no_store),
    Case("unreadable-store", "source.log", "not readable", _unreadable_store),
    Case("operations", "source.operations", "flushes are not", _wrong_operations, works=True),
    Case("frozen-source", "source.ticking", "not even a time tick", _frozen_source),
    _requested(
        "target-port",
        "target.reachable",
        NOBODY,
        lambda world: {
            "milvus_connect_param": world.param(uri=f"http://{NOBODY}", connect_timeout=1)
        },
    ),
    Case("target-etcd", "target.reachable", "cannot reach Milvus", _etcd_as_target),
    Case("target-tls", "target.reachable", "cannot reach Milvus", _tls_to_a_plain_target),
    _requested("no-standby", "target.mode", "is not a standby", _mode("replicate")),
    Case(
        "source-as-target",
        "target.is_source",
        "the source itself",
        _source_as_target,
        "the target is the source itself",
    ),
    _requested(
        "missing",
        "selection.collections",
        "the source has no default.",
        lambda world: {"db_collections": world.only(world.scenario.name("missing"))},
        works=True,
        later="missing",
    ),
    _requested(
        "nothing-selected",
        "selection.collections",
        "none of the source's collections",
        lambda world: {"db_collections": world.only(world.scenario.name("future*"))},
        works=True,
        later="future",
    ),
    Case("one-name", "selection.collections", "would both be written", _two_on_one_name),
    Case("stranger", "target.names", "is on the target already", _stranger, "adopt: true"),
    Case("other-schema", "target.names", "does not fit", _stranger_of_another_schema),
    Case("types", "target.types", "which needs Milvus 2.4", _field_of_a_later_milvus),
    Case("auto-id", "target.auto_id", "autoID is off", _keys_of_the_source, works=True),
    Case(
        "clash",
        "tasks.clash",
        "duplicate with existing task",
        _clash,
        known_to_doctor=False,
        beside=frozenset({"target.names"}),  # what the other task has made
    ),
    Case(
        "id-of-another",
        "tasks.exists",
        "already",
        _id_of_another,
        works=True,
        known_to_doctor=False,
    ),
    Case("limit", "tasks.limit", "limit, 1", _no_more_tasks, known_to_doctor=False),
    Case("forgotten", "selection.start", "cannot begin there", _forgotten_positions),
    Case("strange-channel", "selection.start", "is written to it", _position_of_another_collection),
]
ON_STANDBY = [
    _requested("standby", "target.mode", "is a standby", _mode("api")),
    Case("shards", "target.shards", "has 1 shards", _other_shards),
    Case(
        "store-of-another",
        "source.channels",
        "the log holds nothing",
        _store_of_another,
        "not even a time tick",
    ),
    Case("kafka", "source.log", NOBODY, _wrong_kafka),
    Case("pulsar", "source.log", NOBODY, _wrong_pulsar),
    Case("token", "target.credentials", "auth check failure", _wrong_token),
]
