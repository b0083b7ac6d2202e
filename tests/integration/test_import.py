"""`milvus-cdc import`: tasks and positions as a Go Milvus-CDC leaves them in its etcd or MySQL.

The records are written here in that one's format. The places in them are real: those of a task of
ours that replicated the first part, as the Go one would have.
"""

from __future__ import annotations

import base64
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymilvus.grpc_gen import msg_pb2

from lab.cdc_server import CdcServer, Task
from lab.command_line import CommandLine, Finished
from lab.etcd import Etcd
from lab.mariadb import MariaDb
from lab.seeder import Seeded
from tests.integration.scenario import Scenario, on

ROOT = "go-cdc"
OPERATIONS = -10  # the id under which the operation topic stands
PAUSED = 2


class GoStore(ABC):
    """Where a Go Milvus-CDC keeps its records."""

    server: Etcd | MariaDb

    @abstractmethod
    def meta_store(self) -> str:
        """The lines of cdc.yaml below `metaStoreConfig`."""

    @abstractmethod
    def put(self, key: str, record: dict[str, Any]) -> None:
        """`key`: task_info/<task> or task_position/<task>/<collection>."""

    @abstractmethod
    def content(self) -> list[Any]: ...

    @abstractmethod
    def clear(self) -> None: ...


class GoEtcd(GoStore):
    def __init__(self, data: Path, port: int) -> None:
        self._etcd = Etcd(data, port)
        self.server = self._etcd
        self.server.start()

    def meta_store(self) -> str:
        return f"""\
  storeType: etcd
  rootPath: {ROOT}
  etcd:
    address: ["{self.server.address}"]"""

    def put(self, key: str, record: dict[str, Any]) -> None:
        self._etcd.put(f"{ROOT}/{key}", json.dumps(record))

    def content(self) -> list[Any]:
        return sorted(self._etcd.items(f"{ROOT}/task_").items())

    def clear(self) -> None:
        self._etcd.delete_prefix(f"{ROOT}/")


# The tables that it makes at its start.
TABLES = {
    "task_info": "task_info_key VARCHAR(255) PRIMARY KEY, task_id VARCHAR(255), "
    "task_info_value JSON",
    "task_position": "task_position_key VARCHAR(255) PRIMARY KEY, task_id VARCHAR(255), "
    "collection_id BIGINT, collection_name VARCHAR(255), task_position_value JSON NOT NULL, "
    "op_position_value JSON, target_position_value JSON",
}


class GoMysql(GoStore):
    def __init__(self, data: Path, port: int) -> None:
        self._mariadb = MariaDb(data, port)
        self.server = self._mariadb
        self.server.start()
        for table, columns in TABLES.items():
            self._mariadb.run(f"CREATE TABLE {table} ({columns})")

    def meta_store(self) -> str:
        return f"""\
  storeType: mysql
  rootPath: {ROOT}
  mysqlSourceUrl: {json.dumps(self._mariadb.dsn)}"""

    def put(self, key: str, record: dict[str, Any]) -> None:
        table = key.partition("/")[0]
        values: list[Any] = [f"{ROOT}/{key}", record["TaskID"]]
        if table == "task_info":
            values.append(json.dumps(record))
        else:
            values += [record["CollectionID"], record["CollectionName"]]
            for name in ("Positions", "OpPositions", "TargetPositions"):
                values.append(json.dumps(record[name]))
        texts = (f"CONVERT(x'{str(value).encode().hex()}' USING utf8mb4)" for value in values)
        self._mariadb.run(f"INSERT INTO {table} VALUES ({', '.join(texts)})")

    def content(self) -> list[Any]:
        return [self._mariadb.run(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES]

    def clear(self) -> None:
        for table in TABLES:
            self._mariadb.run(f"DELETE FROM {table}")
        self._mariadb.run("DROP TABLE IF EXISTS milvus_cdc_kv")


@pytest.fixture(scope="module", params=["etcd", "mysql"])
def go_server(
    request: pytest.FixtureRequest, spare_ports: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GoStore]:
    folder = tmp_path_factory.mktemp("go")
    made = {"etcd": GoEtcd, "mysql": GoMysql}[request.param](folder, spare_ports)
    yield made
    made.server.kill()


@pytest.fixture
def go_store(go_server: GoStore) -> Iterator[GoStore]:
    yield go_server
    go_server.clear()


@dataclass
class Left:
    """What it left of one task."""

    task_id: str
    scenario: Scenario
    state: int = 1
    changes: dict[str, Any] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        connect = {
            **{"uri": self.scenario.target.connect_param()["uri"], "token": ""},
            **{"host": "", "port": 0, "username": "", "password": "", "enable_tls": False},
            **{"ignore_partition": False, "connect_timeout": 10, "channel_num": 0},
            "dial_config": {"server_name": "", "ca_pem_path": ""},
        }
        return {
            "TaskID": self.task_id,
            "MilvusConnectParam": connect,
            "KafkaConnectParam": {"address": "", "topic": ""},
            "WriterCacheConfig": {"period": 0, "size": 0},
            "CollectionInfos": None,
            "DBCollections": self.scenario.selection(),
            "NameMapping": None,
            "RPCRequestChannelInfo": {"name": "", "position": ""},
            "ExtraInfo": {"enable_user_role": False},
            "ExcludeCollections": None,
            "DisableAutoStart": False,
            "State": self.state,
            "Reason": "",
            **self.changes,
        }


def _place(position: str) -> tuple[str, dict[str, Any]]:
    """The channel of a position as our API tells it, and how the Go one stores it."""
    decoded = msg_pb2.MsgPosition.FromString(base64.b64decode(position))
    channel = decoded.channel_name
    data = base64.b64encode(decoded.msgID).decode()
    return channel, {
        "StartTime": 0,
        "Time": int(time.time() * 1000),
        "DataPair": {"key": channel, "data": data},
        "Dropped": False,
    }


def _leave(go_store: GoStore, left: Left, answer: dict[str, Any], *all_seeded: Seeded) -> None:
    """Writes a task with the positions of this answer of ours."""
    go_store.put(f"task_info/{left.task_id}", left.info())
    places: dict[int, dict[str, Any]] = {}
    names = {OPERATIONS: str(OPERATIONS)}
    for seeded in all_seeded:
        names[seeded.client.describe(seeded.db, seeded.name).collectionID] = seeded.name
    for told in answer["positions"]:
        if told["collection_id"] in names:
            channel, place = _place(told["msg_id"])
            places.setdefault(told["collection_id"], {})[channel] = place
    for told in answer["op_positions"]:
        channel, place = _place(told["msg_id"])
        places[OPERATIONS] = {channel: place}
    assert len(places) == len(names), answer
    for number, positions in places.items():
        record = {
            **{"TaskID": left.task_id, "CollectionID": number, "CollectionName": names[number]},
            **{"Positions": positions, "OpPositions": {}, "TargetPositions": {}},
        }
        go_store.put(f"task_position/{left.task_id}/{number}", record)


def _import(server: CdcServer, *arguments: str) -> Finished:
    cli = CommandLine(server.url)
    return cli.run("import", "--config", str(server.config), *arguments)


def _checkpoint(task: Task) -> dict[str, Any]:
    task.pause()
    return task.server.request("position", {"task_id": task.task_id})


@pytest.mark.core
@on("replicate")
def test_replication_goes_on_where_the_go_one_stopped(
    scenario: Scenario, other_server: CdcServer, go_store: GoStore
) -> None:
    task = scenario.start_task()
    one, two = scenario.seed("one"), scenario.seed("two")
    keys = one.insert(60)
    two.insert(30)
    scenario.assert_equal(one, two)
    left = Left("left", scenario)
    _leave(go_store, left, _checkpoint(task), one, two)
    unused = {"default": [{"name": f"{scenario.prefix}2_unused*"}]}
    stopped = Left("stopped", scenario, PAUSED, {"DBCollections": unused})
    go_store.put("task_info/stopped", stopped.info())
    before = go_store.content()
    # It had sent more than it has written down.
    task.resume()
    one.delete(keys[:10])
    more = two.insert(20)
    scenario.assert_equal(one, two)
    task.delete()
    one.upsert(keys[20:30])
    two.delete(more[:5])

    # Its cdc.yaml is ours: the same place, under other keys.
    other_server.store.parent.mkdir(parents=True)
    other_server.config.write_text(other_server.configuration(meta_store=go_store.meta_store()))
    planned = _import(other_server, "--dry-run")
    assert planned.code == 0 and "task left: would be imported" in planned.out, planned
    only = _import(other_server, "--task", "left", "--json")
    assert only.code == 0, only
    answer = json.loads(only.out)
    assert [imported["id"] for imported in answer["imported"]] == ["left"]
    assert sorted(answer["imported"][0]["channels"]) == sorted({*one.channels, *two.channels})
    rest = _import(other_server)
    assert rest.code == 1, rest
    assert "task stopped: imported, paused" in rest.out, rest
    assert "task left: not imported: the store has a task of this id already" in rest.out, rest
    assert go_store.content() == before, "what the Go one has is never changed"

    other_server.start()
    scenario.task = Task(other_server, "left")
    one.insert(15)
    later = scenario.seed("later")
    later.insert(10)
    scenario.assert_equal(one, two, later)
    scenario.assert_healthy()
    assert Task(other_server, "stopped").get()["state"] == "Paused"
    refused = _import(other_server)
    assert refused.code == 1 and "a server listens on" in refused.err, refused
    other_server.restart(hard=True)
    two.insert(10)
    scenario.assert_equal(one, two, later)
    assert go_store.content() == before
    for listed in other_server.tasks():
        Task(other_server, str(listed["task_id"])).delete()


@pytest.mark.logs("rocksmq")
@on("replicate")
def test_into_a_file_and_from_its_own_configuration(
    scenario: Scenario, other_server: CdcServer, go_store: GoStore, tmp_path: Path
) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    _leave(go_store, Left("left", scenario), _checkpoint(task), seeded)
    task.delete()
    seeded.insert(20)
    theirs = tmp_path / "go.yaml"
    theirs.write_text(other_server.configuration(meta_store=go_store.meta_store()))
    other_server.store.parent.mkdir(parents=True)
    other_server.config.write_text(other_server.configuration())
    unknown = _import(other_server)
    assert unknown.code == 2 and "--from" in unknown.err, unknown
    nothing = _import(other_server, "--from", str(theirs), "--from-root-path", "elsewhere")
    assert nothing.code == 1 and "elsewhere/task_info/" in nothing.err, nothing
    done = _import(other_server, "--from", str(theirs))
    assert done.code == 0, done
    other_server.start()
    scenario.task = Task(other_server, "left")
    scenario.assert_equal(seeded)
    assert scenario.running.progress()["rows_inserted"] <= 40
    scenario.running.delete()
