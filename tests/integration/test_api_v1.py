"""/api/v1 as its own document describes it, and what guards it: tokens, TLS, certificates."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import places, planted
from lab.cdc_server import CdcError, CdcServer, Reply
from lab.certificates import make_certificates
from lab.planted import API_TOKEN, TARGET_PASSWORD, TARGET_TOKEN
from tests.integration.scenario import Scenario

pytestmark = [pytest.mark.logs("rocksmq"), pytest.mark.xdist_group("replicate")]

TASKS = "/api/v1/tasks"


def _throw_away(name: str, **more: Any) -> dict[str, Any]:
    """A create request whose rows go nowhere."""
    return {
        "task_id": name,
        "blackhole_connect_param": {},
        "collection_infos": [{"name": f"{name}_*"}],
    } | more


def _problem(reply: Reply, status: int, kind: str = "") -> dict[str, Any]:
    assert reply.status == status, (reply.status, reply.body)
    assert reply.content_type == "application/problem+json", reply
    problem: dict[str, Any] = reply.json()
    assert problem["status"] == status and problem["title"] and problem["detail"], problem
    assert kind in ("", problem["kind"]), problem
    return problem


def _create(server: CdcServer, name: str, **more: Any) -> dict[str, Any]:
    reply = server.call("POST", TASKS, _throw_away(name, **more))
    assert reply.status == 201, reply
    assert reply.headers["location"] == f"{TASKS}/{name}", reply
    task: dict[str, Any] = reply.json()
    return task


# --- the document -------------------------------------------------------------------------------


def test_the_document_is_the_one_of_the_sources(scenario: Scenario) -> None:
    reply = scenario.cdc.call("GET", "/api/v1/openapi.json")
    assert reply.status == 200 and reply.content_type == "application/json"
    assert reply.json() == json.loads((places.ROOT / "src/server/openapi.json").read_text())


# Every check there is, with two exceptions.
SCHEMATHESIS = """
[checks]
enabled = true
# 502: a target that is not there is no mistake of the server.
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502]

# A schema cannot say all that makes these two wrong: a uri that is none (the hooks plant some), two
# targets or none, no collection, a mapping of what is not selected.
[[operations]]
include-name = ["POST /api/v1/tasks", "POST /api/v1/preflight"]
checks.positive_data_acceptance.enabled = false
"""


def _schemathesis(server: CdcServer, tasks: list[str], folder: Path) -> list[dict[str, Any]]:
    """Runs it against the whole document; what came of each request. Fails for what it finds."""
    config = folder / "schemathesis.toml"
    config.write_text(SCHEMATHESIS)
    answers = folder / "answers.jsonl"
    program = places.venv("schemathesis") / "bin" / "schemathesis"
    command = [str(program), "--config-file", str(config), "run"]
    command += [f"{server.url}/api/v1/openapi.json", "-H", f"Authorization: Bearer {API_TOKEN}"]
    command += ["--continue-on-failure"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "30"]
    command += ["--generation-deterministic", "--suppress-health-check", "all"]
    command += ["--request-timeout", "30", "--warnings", "off", "--no-color"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": str(Path(__file__).parent / "schemathesis_hooks.py"),
        "CDC_ANSWERS": str(answers),
        "CDC_PLANTED": TARGET_PASSWORD,
        "CDC_SECRETS": json.dumps(planted.SECRETS),
        "CDC_TASKS": ",".join(tasks),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=800, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    return [json.loads(line) for line in answers.read_text().splitlines()]


def test_schemathesis_finds_nothing_and_no_secret_comes_out(
    scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> None:
    other_server.secure(API_TOKEN)
    other_server.start(other_server.configuration(log_level="debug"))
    tasks = [f"known{number}" for number in range(8)]
    for name in tasks:
        _create(other_server, name)
    answers = _schemathesis(other_server, tasks, tmp_path)

    statuses = {answer["status"] for answer in answers}
    assert len(answers) > 300 and statuses >= {200, 201, 204, 400, 404, 409}, statuses
    assert sum(answer["planted"] for answer in answers) > 50
    assert not [answer for answer in answers if answer["leaked"]]
    assert other_server.healthy()
    # Answers, too, are looked through for secrets when the test is over, as is the log.
    other_server.call("GET", f"{TASKS}?limit=1000")
    other_server.tasks()
    other_server.metrics()
    log = other_server.process.log.read_text(errors="replace")
    assert "refused" in log, "the log that is looked through is not the one that is written"
    assert other_server.call("GET", "/api/v1/server").json()["log_level"] == "debug"


# --- tasks --------------------------------------------------------------------------------------


def test_lists_come_in_pages_and_in_order_of_creation(
    scenario: Scenario, other_server: CdcServer
) -> None:
    other_server.start()
    names = ["z", "a", "m?&=", "b", "c"]
    for name in names:
        made = other_server.call(
            "POST", TASKS, _throw_away(name, collection_infos=[{"name": f"c{ord(name[0])}_*"}])
        )
        assert made.status == 201, made
    assert other_server.call("POST", f"{TASKS}/b/pause").status == 200

    seen: list[str] = []
    query = "?limit=2"
    for _ in range(len(names)):
        page = other_server.call("GET", TASKS + query).json()
        assert 1 <= len(page["tasks"]) <= 2
        seen += [task["id"] for task in page["tasks"]]
        if page["next"] is None:
            break
        query = "?limit=2&after=" + urllib.parse.quote(page["next"], safe="")
    assert seen == names

    def of_state(state: str) -> list[str]:
        return [
            task["id"]
            for task in other_server.call("GET", f"{TASKS}?state={state}").json()["tasks"]
        ]

    assert of_state("paused") == ["b"]
    assert of_state("running") == ["z", "a", "m?&=", "c"]
    assert of_state("failed") == []
    listed = other_server.call("GET", TASKS).json()["tasks"][0]
    assert "collections" not in listed and listed["collection_count"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "state=gone", "limi=5"])
def test_a_wrong_query_is_refused(scenario: Scenario, query: str) -> None:
    name = query.partition("=")[0]
    assert name in _problem(scenario.cdc.call("GET", f"{TASKS}?{query}"), 400, "invalid")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/api/v1/nothing", None, 404, "not_found"),
        ("GET", "/api/v1/tasks/nobody", None, 404, "not_found"),
        ("DELETE", "/api/v1/tasks/nobody", None, 404, "not_found"),
        ("POST", "/api/v1/tasks/nobody/pause", None, 404, "not_found"),
        ("POST", "/api/v1/tasks/nobody/resume", {"accept_source": False}, 404, "not_found"),
        ("POST", "/api/v1/tasks/nobody/rewind", {"to_ms": 1700000000000}, 404, "not_found"),
        ("GET", "/api/v1/tasks/nobody/positions", None, 404, "not_found"),
        ("GET", "/api/v1/tasks?after=nobody", None, 404, "not_found"),
        ("POST", "/api/v1/tasks", b"{", 400, "invalid"),
        ("POST", "/api/v1/tasks", [], 400, "invalid"),
        ("POST", "/api/v1/tasks", {}, 400, "invalid"),
        ("POST", "/api/v1/tasks", {"collection_info": []}, 400, "invalid"),
        ("POST", "/api/v1/tasks?dry_run=yes", {}, 400, "invalid"),
        ("POST", "/api/v1/tasks/nobody/rewind", {"to_ms": "now"}, 400, "invalid"),
        ("POST", "/api/v1/tasks/nobody/resume", {"accept": True}, 400, "invalid"),
        ("PUT", "/api/v1/server/log-level", {"level": "loud"}, 400, "invalid"),
    ],
)
def test_wrong_requests(
    scenario: Scenario, method: str, path: str, body: Any, status: int, kind: str
) -> None:
    _problem(scenario.cdc.call(method, path, body), status, kind)


@pytest.mark.parametrize(
    "uri",
    [
        "http://h:19530?token={}",
        "http://h:19530/{}",
        "http://h:19530#{}",
        "http://root:{}@h:19530",
        "http://h:{}",
        "http://[{}",
        "{}://h:19530",
        "h:19530 {}",
    ],
)
def test_a_uri_that_is_wrong_is_not_repeated(scenario: Scenario, uri: str) -> None:
    """People put secrets where they do not belong."""
    param = {"uri": uri.format(TARGET_PASSWORD)}
    body = {"milvus_connect_param": param, "collection_infos": [{"name": "x"}]}
    for path in (TASKS, f"{TASKS}?dry_run=true", "/api/v1/preflight"):
        problem = _problem(scenario.cdc.call("POST", path, body), 400, "invalid")
        assert "uri" in problem["detail"] and TARGET_PASSWORD not in str(problem)
    with pytest.raises(CdcError, match="uri") as refused:
        scenario.cdc.create(**body)
    assert TARGET_PASSWORD not in refused.value.message


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/tasks", {"GET", "HEAD", "POST"}),
        ("PATCH", "/api/v1/tasks/x", {"DELETE", "GET", "HEAD"}),
        ("GET", "/api/v1/tasks/x/pause", {"POST"}),
        ("POST", "/api/v1/server", {"GET", "HEAD"}),
    ],
)
def test_other_methods_are_told_the_right_ones(
    scenario: Scenario, method: str, path: str, allowed: set[str]
) -> None:
    reply = scenario.cdc.call(method, path)
    _problem(reply, 405, "method_not_allowed")
    assert {word.strip() for word in reply.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_a_body_of_another_type_is_refused(scenario: Scenario, kind: str) -> None:
    body = _throw_away(scenario.name())
    reply = scenario.cdc.call("POST", TASKS, body, {"Content-Type": kind})
    _problem(reply, 415, "unsupported_media_type")
    assert scenario.cdc.call("GET", f"{TASKS}/{body['task_id']}").status == 404


def test_a_body_that_is_too_large_is_refused(scenario: Scenario, other_server: CdcServer) -> None:
    other_server.start(other_server.configuration(extra="http:\n  maxBodyBytes: 2048\n"))
    large = _throw_away("a", exclude_collections=[f"default.{n}" for n in range(1000)])
    try:
        assert other_server.call("POST", TASKS, large).status == 413
    except urllib.error.URLError as error:  # it may close before all is sent
        assert isinstance(error.reason, ConnectionError), error
    assert other_server.call("GET", TASKS).json() == {"tasks": [], "next": None}


def test_states_that_do_not_fit_are_conflicts(scenario: Scenario) -> None:
    name = scenario.name("states")
    _create(scenario.cdc, name)
    scenario.take_over(name)

    def post(action: str, body: Any = None) -> Reply:
        return scenario.cdc.call("POST", f"{TASKS}/{name}/{action}", body)

    _problem(post("resume"), 409)
    _problem(post("rewind", {"to_ms": 1700000000000}), 409)
    paused = post("pause")
    assert paused.status == 200 and paused.json()["state"] == "paused"
    _problem(post("pause"), 409)
    resumed = post("resume", {})
    assert resumed.status == 200 and resumed.json()["state"] == "running"
    changes = [(t["from"], t["to"]) for t in resumed.json()["transitions"]]
    assert changes == [(None, "running"), ("running", "paused"), ("paused", "running")]


def test_an_id_that_exists_changes_nothing(scenario: Scenario) -> None:
    name = scenario.name("twice")
    _create(scenario.cdc, name)
    scenario.take_over(name)
    other = _throw_away(name, collection_infos=[{"name": "another"}])
    again = scenario.cdc.call("POST", TASKS, other)
    assert again.status == 200 and "location" not in again.headers, again
    assert again.json()["selection"]["includes"] == [f"default.{name}_*"]
    deleted = scenario.cdc.call("DELETE", f"{TASKS}/{name}")
    assert (deleted.status, deleted.body) == (204, b"")
    _problem(scenario.cdc.call("DELETE", f"{TASKS}/{name}"), 404)


def test_both_interfaces_show_the_same_tasks(scenario: Scenario) -> None:
    old = scenario.start_task()
    new = scenario.name("new")
    _create(scenario.cdc, new)
    scenario.take_over(new)
    there = scenario.cdc.call("GET", f"{TASKS}/{old.task_id}").json()
    assert there["mode"] == "replicate" and there["target"]["uri"]
    assert new in [task["task_id"] for task in scenario.cdc.tasks()]
    scenario.cdc.call("DELETE", f"{TASKS}/{old.task_id}")
    with pytest.raises(CdcError, match=old.task_id):
        old.get()


def test_a_dry_run_tells_the_plan_and_stores_nothing(scenario: Scenario) -> None:
    seeded = scenario.seed(load=False)

    def ids() -> list[str]:
        return [task["id"] for task in scenario.cdc.call("GET", TASKS).json()["tasks"]]

    before = ids()
    request = scenario.request(
        task_id=scenario.name("dry"),
        name_mapping=[
            {
                "source_db": "default",
                "target_db": "default",
                "collection_mapping": {seeded.name: f"{seeded.name}_copy"},
            }
        ],
    )
    reply = scenario.cdc.call("POST", f"{TASKS}?dry_run=true", request)
    assert reply.status == 200 and reply.json()["dry_run"] is True, reply
    plan = reply.json()["task"]
    assert plan["id"] == request["task_id"] and plan["exists"] is False
    assert plan["mode"] == "replicate" and plan["mode_reason"]
    [planned] = plan["collections"]
    assert planned["source_collection"] == seeded.name
    assert planned["target_collection"] == f"{seeded.name}_copy"
    assert ids() == before
    scenario.cdc.restart()
    assert scenario.cdc.call("GET", f"{TASKS}/{request['task_id']}").status == 404
    assert not scenario.target.client.exists("default", f"{seeded.name}_copy")

    mistaken = scenario.cdc.call("POST", f"{TASKS}?dry_run=true", request | {"load": "twice"})
    _problem(mistaken, 400, "invalid")
    away = request | {"milvus_connect_param": {"uri": "http://127.0.0.1:9", "token": TARGET_TOKEN}}
    problem = _problem(scenario.cdc.call("POST", f"{TASKS}?dry_run=true", away), 502, "peer_away")
    assert "127.0.0.1:9" in problem["detail"]


def test_the_server_tells_about_itself_and_changes_its_log_level(scenario: Scenario) -> None:
    about = scenario.cdc.call("GET", "/api/v1/server").json()
    assert about["version"] and about["source"]["log"] == "rocksmq" and about["log_level"] == "info"
    try:
        changed = scenario.cdc.call("PUT", "/api/v1/server/log-level", {"level": "debug"})
        assert changed.json() == {"level": "debug"}
        assert scenario.cdc.call("GET", "/api/v1/server").json()["log_level"] == "debug"
    finally:
        scenario.cdc.call("PUT", "/api/v1/server/log-level", {"level": "info"})


# --- who is let in ------------------------------------------------------------------------------


def test_a_token_guards_everything_but_health(scenario: Scenario, other_server: CdcServer) -> None:
    other_server.secure(API_TOKEN).start()
    assert other_server.call("GET", TASKS).status == 200
    guarded = [("GET", TASKS), ("GET", "/api/v1/openapi.json"), ("POST", "/cdc")]
    guarded += [("GET", "/metrics"), ("GET", "/api/v1/nothing"), ("PATCH", TASKS)]
    for wrong in ("", "Bearer", "Bearer wrong", f"Basic {API_TOKEN}", f"Bearer {API_TOKEN}x"):
        for method, path in guarded:
            reply = other_server.call(method, path, headers={"Authorization": wrong})
            assert reply.status == 401, (wrong, path, reply)
            assert reply.headers["www-authenticate"].startswith("Bearer"), reply
        assert other_server.call("GET", "/healthz", headers={"Authorization": wrong}).status == 200
    _problem(other_server.call("GET", TASKS, headers={"Authorization": ""}), 401, "unauthorized")


def _get(url: str, context: ssl.SSLContext) -> int:
    with urllib.request.urlopen(f"{url}{TASKS}", timeout=10, context=context) as answer:
        return int(answer.status)


def test_tls_shows_the_configured_certificate(
    scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> None:
    own = make_certificates(tmp_path / "pem")
    other_server.secure(certificates=own).start()
    assert other_server.call("GET", TASKS).status == 200
    assert other_server.tasks() == []
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        _get(other_server.url, ssl.create_default_context())
    with pytest.raises((OSError, http.client.HTTPException)):
        plain = other_server.url.replace("https:", "http:")
        urllib.request.urlopen(f"{plain}{TASKS}", timeout=10)


def test_mutual_tls_lets_in_only_what_the_authority_signed(
    scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> None:
    own = make_certificates(tmp_path / "pem")
    strangers = make_certificates(tmp_path / "strangers")
    other_server.secure(certificates=own, mutual=True).start()
    assert other_server.call("GET", TASKS).status == 200
    nameless = ssl.create_default_context(cafile=str(own.ca))
    with pytest.raises(OSError):
        _get(other_server.url, nameless)
    stranger = ssl.create_default_context(cafile=str(own.ca))
    stranger.load_cert_chain(str(strangers.client), str(strangers.client_key))
    with pytest.raises(OSError):
        _get(other_server.url, stranger)
    assert other_server.healthy()
