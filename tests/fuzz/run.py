"""Runs the fuzz targets of build/fuzz for a bounded time, seeded with the golden messages.

What a run learns stays in build/fuzz/corpus; an input that breaks a promise is kept in
build/fuzz/findings and fails the run."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.wire import field

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "fuzz"
GOLDEN = ROOT / "tests" / "golden"
TARGETS = ("message", "operation", "catalog", "position")

# Longest input that is tried; the golden messages are up to 3 KB, a whole catalog 30 KB.
MAX_BYTES = {"message": 8192, "operation": 4096, "catalog": 32768, "position": 64}


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
            body += b"\x18\x01" if what == "DEL" else field(2, bytes.fromhex(value))
            events.append(field(1, body))
        found.append(b"".join(events))
        found += [b"".join(events[i : i + 8]) for i in range(0, len(events), 8)]
    return found


def _found(target: str) -> list[bytes]:
    lines = (Path(__file__).parent / "found.txt").read_text().splitlines()
    return [bytes.fromhex(line.split()[1]) for line in lines if line.startswith(f"{target} ")]


def _seeds(target: str) -> list[bytes]:
    if target == "catalog":
        return _catalogs()
    if target == "position":
        pulsar = bytes.fromhex("080c100318ffffffffffffffffff0120003001")
        return [bytes(range(8)), pulsar, b"earliest", b"at 12", b"after 3:18446744073709551615"]
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
