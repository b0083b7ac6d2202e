"""The command line as people and scripts use it: the life of a task, exit codes, TLS, shells."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab.cdc_server import CdcServer
from lab.certificates import make_certificates
from lab.command_line import CommandLine
from lab.planted import API_TOKEN, TARGET_TOKEN, WRONG_API_TOKEN
from tests.integration.scenario import BOTH_MODES, Scenario

pytestmark = pytest.mark.logs("rocksmq")  # no command knows what log the source has
ON_STANDBY = pytest.mark.xdist_group("replicate")


def _create(scenario: Scenario, *more: str) -> tuple[CommandLine, str]:
    """A task of everything of this scenario, made by the command line."""
    cli = CommandLine(scenario.cdc.url)
    param = scenario.target.connect_param()
    everything = f"{scenario.prefix}_*"
    chosen = ["--collections", everything, "--databases", everything, "--mode", param["mode"]]
    task_id = scenario.name("task")
    named = ["--target-uri", param["uri"], "--task-id", task_id]
    created = cli.json("task", "create", *named, *chosen, *more)
    assert created["id"] == task_id, created
    scenario.take_over(task_id)
    return cli, task_id


@BOTH_MODES
def test_a_task_from_create_to_delete(scenario: Scenario) -> None:
    cli, task_id = _create(scenario)
    seeded = scenario.seed()
    keys = seeded.insert(40)
    seeded.delete(keys[:10])
    cli.ok("task", "watch", task_id, "--until", "caught-up", timeout=90)
    assert scenario.running.safe_ts >= seeded.last_ts, "watch ended before all was there"
    scenario.assert_equal(seeded)

    listed = {task["id"]: task for task in cli.json("task", "list")["tasks"]}
    assert listed[task_id]["state"] == "running"
    shown = cli.ok("task", "show", task_id)
    assert f"default.{seeded.name}" in shown and "running" in shown, shown
    assert task_id in cli.ok("task", "list", "--state", "running")
    assert json.loads(cli.ok("position", task_id, "--json"))["positions"]
    assert "dml_" in cli.ok("position", task_id)

    assert cli.ok("task", "pause", task_id).startswith(f"task {task_id} is paused")
    cli.ok("task", "watch", task_id, "--until", "paused")
    assert cli.run("task", "pause", task_id).code == 1
    assert cli.run("task", "watch", task_id, "--until", "caught-up").code == 1
    seeded.insert(10)
    cli.ok("task", "resume", task_id)
    cli.ok("task", "watch", task_id, "--until", "caught-up", timeout=90)
    scenario.assert_equal(seeded)

    assert cli.run("task", "delete", task_id).code == 2  # nobody can be asked
    cli.ok("task", "delete", task_id, "--yes")
    gone = cli.run("task", "show", task_id)
    assert gone.code == 1 and task_id in gone.err, gone
    assert scenario.target.client.exists("default", seeded.name)


@BOTH_MODES
def test_rewind_repairs_what_the_target_lost(scenario: Scenario) -> None:
    cli, task_id = _create(scenario)
    seeded = scenario.seed()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    safe_ms = cli.json("task", "show", task_id)["safe_time_ms"]
    keys = seeded.insert(20)
    scenario.assert_equal(seeded)
    assert cli.run("task", "rewind", task_id, "--to", str(safe_ms)).code == 1  # it runs
    cli.ok("task", "pause", task_id)
    cli.ok("task", "rewind", task_id, "--to", str(safe_ms))
    cli.ok("task", "resume", task_id)
    seeded.delete(keys[:5])
    scenario.assert_equal(seeded)
    assert scenario.running.progress()["rows_replayed"] >= 20


@ON_STANDBY
def test_a_request_of_the_existing_kind_from_standard_input(scenario: Scenario) -> None:
    cli = CommandLine(scenario.cdc.url)
    task_id = scenario.name("piped")
    request = {"request_type": "create", "request_data": scenario.request(task_id=task_id)}
    planned = cli.ok("task", "create", "--file", "-", "--dry-run", given=json.dumps(request))
    assert "nothing was stored" in planned, planned
    assert cli.run("task", "show", task_id).code == 1
    made = cli.ok("task", "create", "--file", "-", "--paused", given=json.dumps(request))
    scenario.take_over(task_id)
    assert made.startswith(f"task {task_id} is paused"), made
    again = cli.ok("task", "create", "--file", "-", given=json.dumps(request))
    assert "was there before" in again and "paused" in again, again


@ON_STANDBY
def test_a_target_that_is_away_is_told_without_its_token(scenario: Scenario) -> None:
    cli = CommandLine(scenario.cdc.url, MILVUS_CDC_TARGET_TOKEN=TARGET_TOKEN)
    away = ["--target-uri", "http://127.0.0.1:9", "--collections", "x", "--mode", "api"]
    refused = cli.run("task", "create", *away)
    assert refused.code == 1 and "127.0.0.1:9" in refused.err, refused


@ON_STANDBY
def test_exit_codes(scenario: Scenario) -> None:
    cli = CommandLine(scenario.cdc.url)
    assert cli.run("task", "show", "nobody").code == 1
    assert cli.run("task", "show").code == 2
    assert cli.run("task", "list", "--state", "asleep").code == 2
    assert cli.run("task", "create", "--help").code == 0
    nobody = CommandLine("http://127.0.0.1:9").run("task", "list")
    assert nobody.code == 3 and "milvus-cdc serve" in nobody.err, nobody
    milvus = CommandLine(f"http://127.0.0.1:{scenario.target.server.port}").run("task", "list")
    assert milvus.code in (1, 3) and milvus.err, milvus  # depends on what it says to HTTP


@ON_STANDBY
def test_watch_prints_json_until_nobody_reads(scenario: Scenario) -> None:
    cli, task_id = _create(scenario)
    watching = subprocess.Popen(
        cli.command("task", "watch", task_id, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=cli.environment,
    )
    assert watching.stdout is not None and watching.stderr is not None
    try:
        for _ in range(2):
            assert json.loads(watching.stdout.readline())["id"] == task_id
        watching.stdout.close()
        assert watching.wait(30) == 0, watching.stderr.read()
    finally:
        watching.kill()
        watching.stderr.close()


@ON_STANDBY
def test_a_token_is_asked_for_and_taken(
    scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> None:
    other_server.secure(API_TOKEN).start()
    cli = CommandLine(other_server.url)
    missing = cli.run("task", "list")
    assert missing.code == 1 and "asks for a token" in missing.err, missing
    wrong = cli.run("task", "list", "--token", WRONG_API_TOKEN)
    assert wrong.code == 1 and "refuses the token" in wrong.err, wrong
    file = tmp_path / "token"
    file.write_text(f"{API_TOKEN}\n")
    assert cli.ok("task", "list", "--token-file", str(file)) == "no tasks\n"
    with_token = CommandLine(other_server.url, MILVUS_CDC_TOKEN=API_TOKEN)
    assert with_token.json("task", "list") == {"tasks": []}


@ON_STANDBY
def test_tls_and_its_complaints(
    scenario: Scenario, other_server: CdcServer, tmp_path: Path
) -> None:
    own = make_certificates(tmp_path / "pem")
    strangers = make_certificates(tmp_path / "strangers")
    other_server.secure(certificates=own).start()
    cli = CommandLine(other_server.url)
    for trusted in ([], ["--ca-file", str(strangers.ca)]):
        refused = cli.run("task", "list", *trusted)
        assert refused.code == 3 and "--ca-file" in refused.err, refused
    assert cli.ok("task", "list", "--ca-file", str(own.ca)) == "no tasks\n"
    plain = cli.run("task", "list", "--server", other_server.url.replace("https", "http"))
    assert plain.code in (1, 3), plain


@ON_STANDBY
def test_mutual_tls(scenario: Scenario, other_server: CdcServer, tmp_path: Path) -> None:
    own = make_certificates(tmp_path / "pem")
    strangers = make_certificates(tmp_path / "strangers")
    other_server.secure(certificates=own, mutual=True).start()
    cli = CommandLine(other_server.url)
    ca = ["--ca-file", str(own.ca)]
    refused = cli.run("task", "list", *ca)
    assert refused.code == 3 and "--cert" in refused.err, refused
    wrong = ["--cert", str(strangers.client), "--key", str(strangers.client_key)]
    assert cli.run("task", "list", *ca, *wrong).code == 3
    right = ["--cert", str(own.client), "--key", str(own.client_key)]
    assert cli.ok("task", "list", *ca, *right) == "no tasks\n"
    assert cli.run("task", "list", *ca, "--cert", str(own.client)).code == 2


_COMPLETE = """
source <({binary} completion bash)
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_milvus_cdc
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.xdist_group("replicate")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("milvus-cdc ta", {"task"}),
        ("milvus-cdc task re", {"resume", "rewind"}),
        ("milvus-cdc task create --mo", {"--mode"}),
        ("milvus-cdc task create --mode ''", {"auto", "replicate", "api"}),
        ("milvus-cdc --server http://a task watch x --until c", {"caught-up"}),
        ("milvus-cdc serve --con", {"--config"}),
        ("milvus-cdc completion ''", {"bash", "zsh"}),
    ],
)
def test_bash_completes(words: str, expected: set[str]) -> None:
    cli = CommandLine("http://127.0.0.1:9")
    script = _COMPLETE.format(binary=cli.command()[0], words=words)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert set(done.stdout.split()) == expected
