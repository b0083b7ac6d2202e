"""Wrong requests and wrong configuration: an error that says what to do, and a living process."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from lab.cdc_server import CdcError, CdcServer
from lab.gate import Gate
from lab.waiting import until
from tests.integration.scenario import Scenario, on

ON_PLAIN = on("api")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"{", 500, "JSON"),
        (b"", 500, "JSON"),
        (b"[]", 500, ""),
        (b"\xff\xfe\x00", 500, ""),
        (b'{"request_type": "dance"}', 400, "request_type"),
        (b'{"request_data": {}}', 400, "request_type"),
        (b'{"request_type": "get", "request_data": {}}', 400, "task_id"),
        (b'{"request_type": "get", "request_data": {"task_id": 5}}', 500, "task_id"),
        (b'{"request_type": "get", "request_data": {"task_id": "nobody"}}', 400, "nobody"),
        (b'{"request_type": "pause", "request_data": {"task_id": "nobody"}}', 400, "nobody"),
        (b'{"request_type": "resume", "request_data": {"task_id": "nobody"}}', 400, "nobody"),
        (b'{"request_type": "delete", "request_data": {"task_id": "nobody"}}', 400, "nobody"),
        (b'{"request_type": "create", "request_data": {}}', 400, ""),
        (b'{"request_type": "create", "request_data": "text"}', 500, ""),
        (b'{"request_type": "create", "request_data": ' + b"[" * 5000 + b"}", 500, ""),
    ],
)
@pytest.mark.xdist_group("api")
def test_bad_requests(scenario: Scenario, body: bytes, code: int, words: str) -> None:
    answer = scenario.cdc.post(body)
    assert answer["code"] == code, answer
    assert words in answer["message"], answer
    assert scenario.cdc.healthy()


@pytest.mark.xdist_group("api")
def test_only_post(scenario: Scenario) -> None:
    with urllib.request.urlopen(f"{scenario.cdc.url}/cdc", timeout=5) as answer:
        decoded = json.load(answer)
    assert decoded["code"] == 405


@pytest.mark.xdist_group("api")
def test_a_giant_body_is_refused(scenario: Scenario) -> None:
    try:
        answer = scenario.cdc.post(b'{"request_type": "' + b"x" * (64 << 20) + b'"}')
        assert answer["code"] != 200
    except OSError:
        pass  # it may also close the connection
    assert scenario.cdc.healthy()


@ON_PLAIN
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"db_collections": None}, "collection"),
        ({"db_collections": {}}, "collection"),
        ({"db_collections": {"default": []}}, "collection"),
        ({"db_collections": {"default": [{"name": ""}]}}, "name"),
        ({"db_collections": {"default": [{"nam": "x"}]}}, "name"),
        ({"milvus_connect_param": None}, "address"),
        ({"milvus_connect_param": {"uri": ""}}, "address"),
        ({"milvus_connect_param": {"uri": "ftp://127.0.0.1:1"}}, "uri"),
        ({"milvus_connect_param": {"uri": "http://127.0.0.1:9", "connect_timeout": -1}}, "timeout"),
        ({"milvus_connect_param": {"uri": "http://127.0.0.1:9", "mode": "magic"}}, "mode"),
        ({"name_mapping": [{"source_db": "nowhere", "target_db": "x"}]}, "name mapping"),
    ],
)
def test_bad_create(scenario: Scenario, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CdcError) as error:
        scenario.start_task(**changes)
    assert error.value.code == 400
    assert words in error.value.message
    assert scenario.cdc.healthy()


@pytest.mark.xdist_group("api")
def test_address_where_nobody_listens(scenario: Scenario) -> None:
    param = {"uri": "http://127.0.0.1:9", "connect_timeout": 2}
    with pytest.raises(CdcError) as error:
        scenario.start_task(milvus_connect_param=param)
    assert "127.0.0.1:9" in error.value.message
    assert "127.0.0.1:9" in scenario.log_since_start()


@pytest.mark.xdist_group("api")
def test_address_of_something_that_is_no_milvus(scenario: Scenario) -> None:
    uri = f"http://{scenario.stack.etcd.address}"
    with pytest.raises(CdcError) as error:
        scenario.start_task(milvus_connect_param={"uri": uri, "connect_timeout": 2})
    assert scenario.stack.etcd.address in error.value.message


@ON_PLAIN
def test_replicate_mode_on_an_ordinary_milvus(scenario: Scenario) -> None:
    with pytest.raises(CdcError) as error:
        scenario.start_task(milvus_connect_param=scenario.target.connect_param("replicate"))
    assert "ttMsgEnabled" in error.value.message


@on("replicate")
def test_api_mode_on_a_standby(scenario: Scenario) -> None:
    with pytest.raises(CdcError) as error:
        scenario.start_task(milvus_connect_param=scenario.target.connect_param("api"))
    assert "standby" in error.value.message or "ttMsgEnabled" in error.value.message


@ON_PLAIN
def test_source_as_its_own_target(scenario: Scenario) -> None:
    seeded = scenario.seed()
    seeded.insert(10)
    itself = {"uri": scenario.stack.source.uri, "mode": "api", "connect_timeout": 10}
    with pytest.raises(CdcError) as error:
        scenario.start_task(milvus_connect_param=itself, adopt=True)
    assert "the target is the source itself" in error.value.message
    # A collection that is not there yet when the task is made.
    task = scenario.start_task(
        milvus_connect_param=itself, db_collections={"default": [{"name": scenario.name("later*")}]}
    )
    later = scenario.seed("later")
    later.insert(10)
    assert "the target is the source itself" in task.wait_health("failed")
    assert later.client.count("default", later.name) == 10


@ON_PLAIN
def test_name_that_does_not_exist_yet(scenario: Scenario) -> None:
    name = scenario.name("future")
    task = scenario.start_task(db_collections={"default": [{"name": name}]})
    warning = task.wait_health("warning")
    assert name in warning and "selects no collection" in warning

    def changes() -> list[str]:
        shown = task.server.call("GET", f"/api/v1/tasks/{task.task_id}").json()
        return [change["to"] for change in shown["transitions"]]

    until("it is in the history", lambda: changes() == ["running", "warning"], 20)
    seeded = scenario.seed("future")
    seeded.insert(20)
    scenario.assert_equal(seeded)
    task.wait_health("ok")
    until("that too", lambda: changes() == ["running", "warning", "running"], 20)


@ON_PLAIN
def test_a_task_with_nothing_to_do_says_when_a_peer_is_away(
    scenario: Scenario, other_server: CdcServer, etcd_gate: Gate
) -> None:
    configuration = other_server.configuration(etcd_address=etcd_gate.address)
    scenario.cdc = other_server.start(configuration)
    task = scenario.start_task()
    task.wait_complaint("selects no collection")
    etcd_gate.close()
    task.wait_complaint("etcd")


# --- configuration ----------------------------------------------------------------------------


def _ends(server: CdcServer) -> str:
    """It ends by itself with an error; returns what it said."""
    until("it ends", lambda: not server.process.running, 15)
    assert server.process.exit_code not in (0, None)
    assert (server.process.exit_code or 0) > 0, "ended by a signal"
    return server.process.tail()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("address: [", "cdc.yaml"),
        ("addres: 127.0.0.1:1\n", "addres"),
        ("address: 127.0.0.1:99999\n", "address"),
        ("just text", "cdc.yaml"),
    ],
)
@pytest.mark.xdist_group("api")
def test_broken_configuration(other_server: CdcServer, text: str, words: str) -> None:
    other_server.launch(text)
    assert words in _ends(other_server)


@pytest.mark.xdist_group("api")
def test_unknown_key_is_named(other_server: CdcServer) -> None:
    text = other_server.configuration(extra="  rocksmqq:\n    path: /x\n")
    other_server.launch(text)
    said = _ends(other_server)
    assert "rocksmqq" in said


@pytest.mark.xdist_group("api")
def test_port_in_use_is_named(other_server: CdcServer, scenario: Scenario) -> None:
    text = other_server.configuration().replace(str(other_server.port), str(scenario.cdc.port))
    other_server.launch(text)
    assert str(scenario.cdc.port) in _ends(other_server)


@ON_PLAIN
@pytest.mark.logs("rocksmq")
def test_rocksmq_path_that_cannot_be_read(other_server: CdcServer, scenario: Scenario) -> None:
    other_server.start(other_server.configuration(rocksmq="/nonexistent/rocksmq"))
    assert "/nonexistent/rocksmq" in other_server.create_fails(**scenario.request())
    assert other_server.healthy()
    assert "/nonexistent/rocksmq" in other_server.process.tail()


@ON_PLAIN
def test_wrong_root_path(other_server: CdcServer, scenario: Scenario) -> None:
    other_server.start(other_server.configuration(root_path="not-a-milvus"))
    assert "not-a-milvus" in other_server.create_fails(**scenario.request())
    assert other_server.healthy()


@ON_PLAIN
def test_etcd_address_where_nobody_listens(other_server: CdcServer, scenario: Scenario) -> None:
    other_server.start(other_server.configuration(etcd_address="127.0.0.1:9"))
    assert "127.0.0.1:9" in other_server.create_fails(**scenario.request())
    assert other_server.healthy()
