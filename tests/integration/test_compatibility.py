"""POST /cdc answers as the existing Milvus-CDC does, over HTTP and with each kind of store: the
sessions of tests/golden/cdc_api, which the unit tests replay on tasks in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cdc_server import CdcError, CdcServer
from lab.places import ROOT as CHECKOUT
from lab.seeder import Seeded
from tests.integration.scenario import Scenario, on
from tests.integration.test_stores import TASKS, Database, EtcdStore, MariaDbStore

pytestmark = [pytest.mark.logs("rocksmq"), on("api")]

GOLDEN = CHECKOUT / "tests" / "golden" / "cdc_api" / "sessions.json"
# What the golden file calls the things that a real session needs to have.
URI, HOST, PORT, COLLECTION = "http://target:19530", "target", 19530, "a"
OPERATIONS = "by-dev-replicate-msg"
CHANNEL, VCHANNEL = "by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_0_1v0"
POSITION = "ChZieS1kZXYtcm9vdGNvb3JkLWRtbF8wEggHAAAAAAAAAA=="
OPERATION_POSITION = "ChRieS1kZXYtcmVwbGljYXRlLW1zZxIIBwAAAAAAAAA="
OPERATION_TOPIC = -10  # its number among the collections
PASSWORD = 'Milvus"'  # that of the golden file, where it ends a text of JSON


def _sessions(needs_target: bool) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
    return [one for one in sessions if bool(one.get("needs_target")) == needs_target]


@pytest.fixture(scope="module", params=["sqlite", "etcd", "mysql"])
def database(
    request: pytest.FixtureRequest, spare_ports: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database | None]:
    """None: a file of milvus-cdc's own."""
    if request.param == "sqlite":
        yield None
        return
    make: Callable[[Path, int], Database] = EtcdStore if request.param == "etcd" else MariaDbStore
    made = make(tmp_path_factory.mktemp("store"), spare_ports)
    yield made
    made.server.kill()


def _configuration(server: CdcServer, scenario: Scenario, database: Database | None) -> str:
    if database is None:
        return server.configuration()
    root_path = f"{TASKS}/compatibility-{scenario.prefix}"
    return server.configuration(meta_store=database.meta_store(root_path))


def _operations(server: CdcServer) -> str:
    return f"{server.source.name}-replicate-msg"


def _replay(server: CdcServer, session: dict[str, Any]) -> int:
    """Returns the number of its steps."""
    for step in session["steps"]:
        request = step["request"]
        body = request if isinstance(request, str) else json.dumps(request)
        about = f"{session['what']}: {body}"
        reply = server.call("POST", "/cdc", body.encode())
        assert (reply.status, reply.content_type) == (200, "application/json"), about
        answer = reply.json()
        if "answer" in step:
            assert answer == step["answer"], about
            continue
        assert answer["code"] == 200, (about, answer)
        task = answer["data"]["task"]
        shown = {key: task.get(key, "nothing of that name") for key in step["task"]}
        assert shown == step["task"], about
        assert PASSWORD not in reply.body.decode(), about
    return len(session["steps"])


def test_sessions_that_need_no_target(
    scenario: Scenario, other_server: CdcServer, database: Database | None
) -> None:
    text = _configuration(other_server, scenario, database)
    other_server.start(text.replace(_operations(other_server), OPERATIONS))
    steps = sum(_replay(other_server, session) for session in _sessions(needs_target=False))
    assert steps > 100
    assert other_server.tasks() == []
    assert (database is None) == bool(list(other_server.data.rglob("*.db")))


# --- with a target ------------------------------------------------------------------------------


def _adapted(value: Any, real: dict[Any, Any]) -> Any:
    """The same with what there really is in place of what the golden file calls it."""
    if isinstance(value, dict):
        return {
            real.get(key, key): False if key == "enable_tls" else _adapted(one, real)
            for key, one in value.items()  # the target speaks no TLS
        }
    if isinstance(value, list):
        return [_adapted(one, real) for one in value]
    return value if isinstance(value, bool) else real.get(value, value)


def _real(scenario: Scenario, server: CdcServer, seeded: Seeded) -> dict[Any, Any]:
    return {
        **{URI: scenario.target.server.uri, HOST: "127.0.0.1", PORT: scenario.target.server.port},
        **{COLLECTION: seeded.name, "*": f"{seeded.name}*", OPERATIONS: _operations(server)},
    }


def _real_positions(server: CdcServer, seeded: Seeded) -> dict[Any, Any]:
    """Has a task find out where the channel of a collection, and that of operations, end."""
    seeded.index_and_load()  # operations, of which there may have been none yet
    seeded.insert(5)
    task = server.create(
        blackhole_connect_param={}, db_collections={"default": [{"name": seeded.name}]}
    )
    seeded.insert(5)
    task.wait_safe(seeded.last_ts)
    task.pause()
    stored = server.request("position", {"task_id": task.task_id})
    task.delete()
    (position,) = [one for one in stored["positions"] if one["collection_id"] != OPERATION_TOPIC]
    (operations,) = [one for one in stored["positions"] if one["collection_id"] == OPERATION_TOPIC]
    assert stored["op_positions"] == [operations]
    assert stored["target_positions"] is None
    for one in (position, operations):
        assert set(one) == {"collection_id", "channel_name", "time", "tt", "msg_id"}, one
        assert one["tt"] == (one["time"] + 1) << 18  # ComposeTS, one millisecond later
    assert position["channel_name"] == seeded.channels[0]
    assert operations["channel_name"] == _operations(server)
    described = seeded.client.describe("default", seeded.name)
    (vchannel,) = described.virtual_channel_names
    return {
        **{CHANNEL: seeded.channels[0], VCHANNEL: vchannel, POSITION: position["msg_id"]},
        OPERATION_POSITION: operations["msg_id"],
    }


def test_sessions_with_a_target(
    scenario: Scenario, other_server: CdcServer, database: Database | None
) -> None:
    other_server.start(_configuration(other_server, scenario, database))
    sessions = _sessions(needs_target=True)
    assert len(sessions) >= 4
    for number, session in enumerate(sessions):
        seeded = scenario.seed(f"a{number}_", shards=1, load=False)
        real = _real(scenario, other_server, seeded)
        if POSITION in json.dumps(session):
            real |= _real_positions(other_server, seeded)
        _replay(other_server, _adapted(session, real))
        for left in other_server.tasks():
            other_server.request("delete", {"task_id": left["task_id"]})


# --- rules that need real tasks ------------------------------------------------------------------


def _create(server: CdcServer, scenario: Scenario, names: str, **more: Any) -> str:
    """Returns its id, or what is said against it."""
    request = {
        "milvus_connect_param": scenario.target.connect_param("api"),
        "db_collections": {"default": [{"name": names}]},
        **more,
    }
    try:
        return str(server.request("create", request)["task_id"])
    except CdcError as error:
        return f"{error.code} {error.message}"


def test_names_of_two_tasks(scenario: Scenario, other_server: CdcServer) -> None:
    """Specific then wildcard is right, the other way round is not; a task that is deleted frees its
    name for another of that name."""
    other_server.start()
    one, many = scenario.name("one"), scenario.name("*")
    duplicate = "the collection name is duplicate with existing task"
    first = _create(other_server, scenario, one)
    assert duplicate in _create(other_server, scenario, one)
    wide = _create(other_server, scenario, many)
    assert " " not in wide
    refused = _create(other_server, scenario, scenario.name("two"))
    assert (
        refused.startswith("400 ") and f"{duplicate}, [default.{scenario.name('two')}]" in refused
    )
    other_server.request("delete", {"task_id": first})
    assert " " not in _create(other_server, scenario, one)
    # Another target is another matter.
    assert " " not in _create(
        other_server, scenario, many, milvus_connect_param=None, blackhole_connect_param={}
    )


def test_users_of_one_target_belong_to_one_task(
    scenario: Scenario, other_server: CdcServer
) -> None:
    other_server.start()
    extra = {"extra_info": {"enable_user_role": True}}
    first = _create(other_server, scenario, scenario.name("a*"), **extra)
    assert " " not in first
    refused = _create(other_server, scenario, scenario.name("b*"), **extra)
    assert refused.startswith("400 ") and "the enable user role param is duplicate" in refused


def test_room_and_reachability(scenario: Scenario, other_server: CdcServer) -> None:
    text = other_server.configuration()
    assert "maxTaskNum: 100" in text
    other_server.start(text.replace("maxTaskNum: 100", "maxTaskNum: 1"))
    nobody = {"uri": "http://127.0.0.1:9", "connect_timeout": 1}
    away = _create(other_server, scenario, scenario.name("a"), milvus_connect_param=nobody)
    assert away.startswith("500 ") and "fail to connect the milvus: " in away
    assert " " not in _create(other_server, scenario, scenario.name("a"))
    full = _create(other_server, scenario, scenario.name("b"))
    assert full.startswith("500 ") and "the task num has reach the limit, 1" in full


def test_pauses_and_starts(scenario: Scenario, other_server: CdcServer) -> None:
    """What is paused says why, and stays so; disable_auto_start holds a task back at a restart."""
    other_server.start()
    paused = _create(other_server, scenario, scenario.name("a"))
    held = _create(other_server, scenario, scenario.name("b"), disable_auto_start=True)
    other_server.request("pause", {"task_id": paused})

    def shown(task: str) -> tuple[str, str | None]:
        state = other_server.request("get", {"task_id": task})["task"]
        return state["state"], state.get("reason")

    assert shown(paused) == ("Paused", "manually pause through http interface")
    assert shown(held) == ("Running", None)
    other_server.restart()
    assert shown(paused) == ("Paused", "manually pause through http interface")
    assert shown(held) == ("Paused", "the task is disabled auto start")
    other_server.request("resume", {"task_id": held})
    assert shown(held) == ("Running", None)
