"""Runs the fuzz targets of build/fuzz for a bounded time, seeded with the golden messages and with
requests of every kind.

What a run learns stays in build/fuzz/corpus; an input that breaks a promise is kept in
build/fuzz/findings and fails the run."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.wire import field

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "fuzz"
GOLDEN = ROOT / "tests" / "golden"
TARGETS = ("message", "operation", "catalog", "position", "request", "v1")

# Longest input that is tried; the golden messages are up to 3 KB, a whole catalog 30 KB.
MAX_BYTES = {
    **{"message": 8192, "operation": 4096, "catalog": 32768, "position": 64},
    **{"request": 4096, "v1": 4096},
}
JSON_TARGETS = ("request", "v1")


def _messages() -> list[bytes]:
    found = []
    for path in sorted((GOLDEN / "messages").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        found += [bytes.fromhex(line.split()[-1]) for line in lines]
    for path in sorted((GOLDEN / "replay").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if line.startswith("log ")]
        found += [bytes.fromhex(line.split(" ")[-1]) for line in lines]
    return found


def _catalogs() -> list[bytes]:
    """The histories as fuzz_catalog reads them, whole and in pieces, under one prefix."""
    found = []
    for path in sorted((GOLDEN / "etcd").glob("*.txt")):
        events = []
        for line in path.read_text().splitlines():
            if not line or line[0] == "#":
                continue
            what, _, key, value = line.split()
            key = "by-dev/" + key.split("/", 1)[1]
            body = field(1, key.encode())
            stored = bytes.fromhex(value.strip("-"))
            body += b"\x18\x01" if what == "DEL" else field(2, stored)
            events.append(field(1, body))
        found.append(b"".join(events))
        found += [b"".join(events[i : i + 8]) for i in range(0, len(events), 8)]
    return found


def _creates() -> list[dict[str, Any]]:
    """Create requests with every field between them, right and wrong ones."""
    to: dict[str, Any] = {"uri": "http://target:19530", "token": "root:Milvus"}
    dial = {"server_name": "a", "server_pem_path": "/dev/null"}
    mutual = {key: "/dev/null" for key in ("ca_pem_path", "client_pem_path", "client_key_path")}
    old = {"host": "a", "port": 19530, "enable_tls": True, "username": "u", "password": "p"}
    kafka = {
        **{"address": "k:9092", "topic": "t", "enable_sasl": True},
        "sasl": {"username": "u", "password": "p", "mechanisms": "PLAIN", "security_protocol": "x"},
    }
    mapping = [{"source_db": "default", "target_db": "b", "collection_mapping": {"a": "c"}}]
    one = {"collection_infos": [{"name": "a"}]}
    vchannel = "by-dev-rootcoord-dml_0_449v0"
    channel = "by-dev-replicate-msg"
    return [
        {"milvus_connect_param": to, **one},
        {"milvus_connect_param": {**old, "dial_config": dial}, **one},
        {"milvus_connect_param": {**to, "dial_config": mutual, "connect_timeout": 3}, **one},
        {"milvus_connect_param": {**to, "mode": "api", "channel_num": 16}, **one},
        {"milvus_connect_param": {**to, "ignore_partition": True}, **one},
        {"milvus_connect_param": {"uri": "https://u:p@[::1]:1/x", "token": "t"}, **one},
        {"kafka_connect_param": kafka, **one},
        {"milvus_connect_param": to, "kafka_connect_param": kafka, **one},
        {"blackhole_connect_param": {}, "db_collections": {"*": [{"name": "*"}]}},
        {
            **{"milvus_connect_param": to, "db_collections": {"default": [{"name": "*a*b*"}]}},
            **{"exclude_collections": ["default.*b*", "x*.tmp_*"], "load": "once"},
            **{"drops": "hold", "adopt": True, "disable_auto_start": True, "task_id": "t1"},
        },
        {"milvus_connect_param": to, "name_mapping": mapping, **one},
        {
            "milvus_connect_param": to,
            "collection_infos": [{"name": "a", "positions": {vchannel: "CgEx"}}],
            "rpc_channel_info": {"name": channel, "position": "CgEx"},
        },
        {
            **{"milvus_connect_param": to, "buffer_config": {"period": 1, "size": 1}},
            **{"extra_info": {"enable_user_role": True}, "positions": {}},
            "collection_infos": [{"name": "a", "use_start_position": True}],
        },
    ]


def _requests() -> list[bytes]:
    """Bodies of POST /cdc, and create requests alone."""
    task = {"task_id": "t"}
    level = {"operation": "set_log_level", "params": {"log_level": "info"}}
    others: list[tuple[str, dict[str, Any]]] = [
        ("delete", {**task, "ignore_not_found": True}),
        ("resume", {**task, "accept_source": True}),
        ("position", {**task, "rewind_to_ms": 1700000000000}),
        *((kind, task) for kind in ("pause", "get", "dance")),
        *(("list", {}), ("maintenance", level)),
    ]
    bodies = [("create", data) for data in _creates()] + others
    seeds = [json.dumps({"request_type": kind, "request_data": data}) for kind, data in bodies]
    seeds += [json.dumps(data) for data in _creates()]
    seeds += ["", "{", "[]", '{"request_type": 1}', "[" * 100, '{"a":' * 100, "1e999"]
    return [seed.encode() for seed in seeds]


def _v1_requests() -> list[bytes]:
    """What fuzz_v1 reads: a line with method, path and query, then the body."""
    lines = [
        *("GET /api/v1/tasks?limit=2&after=t&state=running", "GET /api/v1/tasks/t"),
        *("DELETE /api/v1/tasks/t", "GET /api/v1/tasks/t/positions", "GET /api/v1/server"),
        *("POST /api/v1/tasks/t/pause", 'POST /api/v1/tasks/t/resume\n{"accept_source": true}'),
        *('POST /api/v1/tasks/t/rewind\n{"to_ms": 5}', "GET /api/v1/openapi.json"),
        *('PUT /api/v1/server/log-level\n{"level": "warn"}', "HEAD /api/v1/tasks/%2Ft%00?x=%zz"),
    ]
    for data in _creates():
        lines.append("POST /api/v1/tasks\n" + json.dumps(data))
        lines.append("POST /api/v1/tasks?dry_run=true\n" + json.dumps(data))
    return [line.encode() for line in lines]


def _found(target: str) -> list[bytes]:
    lines = (Path(__file__).parent / "found.txt").read_text().splitlines()
    return [bytes.fromhex(line.split()[1]) for line in lines if line.startswith(f"{target} ")]


def _seeds(target: str) -> list[bytes]:
    if target == "catalog":
        return _catalogs()
    if target == "position":
        pulsar = bytes.fromhex("080c100318ffffffffffffffffff0120003001")
        return [bytes(range(8)), pulsar, b"earliest", b"at 12", b"after 3:18446744073709551615"]
    if target == "request":
        return _requests()
    if target == "v1":
        return _v1_requests()
    return _messages()


def _write_seeds(target: str) -> Path:
    corpus = BUILD / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in [*_seeds(target), *_found(target)]:
        (corpus / f"seed-{hashlib.sha1(seed).hexdigest()}").write_bytes(seed)
    return corpus


def _run(target: str, seconds: int) -> tuple[str, int, str]:
    corpus = _write_seeds(target)
    findings = BUILD / "findings" / target
    findings.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(BUILD / f"fuzz_{target}"), str(corpus)),
        *(f"-max_total_time={seconds}", f"-max_len={MAX_BYTES[target]}"),
        *(f"-artifact_prefix={findings}/", "-timeout=5", "-rss_limit_mb=2048"),
        *("-print_final_stats=1", "-verbosity=1"),
    ]
    if target in JSON_TARGETS:
        command.append(f"-dict={Path(__file__).parent / 'json.dict'}")
    environment = dict(
        os.environ,
        ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=16",
        UBSAN_OPTIONS="print_stacktrace=1",
    )
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace"
    )
    return target, done.returncode, done.stderr


def _stat(log: str, name: str) -> str:
    values = [line.split()[-1] for line in log.splitlines() if line.startswith(f"stat::{name}")]
    return values[-1] if values else "?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=int, default=20, help="per target")
    parser.add_argument("--target", choices=TARGETS, action="append")
    arguments = parser.parse_args()
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        runs = [
            pool.submit(_run, target, arguments.seconds) for target in arguments.target or TARGETS
        ]
        for run in runs:
            target, code, log = run.result()
            inputs = _stat(log, "number_of_executed_units")
            print(f"fuzz {target}: {inputs} inputs, {'ok' if code == 0 else 'FINDING'}", flush=True)
            if code != 0:
                failed.append(target)
                told = [line for line in log.splitlines() if not line.startswith("#")]
                print("\n".join(told[-60:]))
    if failed:
        sys.exit(f"fuzz: findings in {', '.join(failed)}; inputs in {BUILD / 'findings'}")


if __name__ == "__main__":
    main()
