"""Chaos: kill -9 of the server and faults of everything around it, under load, then count.

`./x chaos --minutes N` runs half of the time into a standby and half into an ordinary Milvus. Ends
with 0 only if, after everything is well again and without a manual step, both sides hold the same
objects and rows, every field equal. Writes docs/operations/chaos-report.md.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab.cdc_server import CdcError, Task
from lab.chaos_writers import ChurnWriter, RowsWriter, Writer
from lab.comparer import Place, compare_by_scan, compare_objects
from lab.gate import NONE, Fault, Gate
from lab.milvus import Milvus
from lab.process import end_all_on_signals
from lab.stack import BASE_PORT, Stack, Target
from lab.timestamps import now_ts
from lab.waiting import DeadlinePassed, until

REPORT = Path(__file__).resolve().parent.parent / "docs" / "operations" / "chaos-report.md"
FAULT_EVERY = 10.0
KILL_FROM, KILL_TO = 5.0, 20.0
SETTLE_LIMIT = 300.0


@dataclass
class Outcome:
    mode: str
    seconds: float = 0.0
    kills: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    source_rows: int = 0
    target_rows: int = 0
    collections: int = 0
    written: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    caught_up: float = 0.0
    differences: list[str] = field(default_factory=list)


class Chaos:
    """One run of one mode. The kill loop runs here, faults and writers on threads of their own."""

    def __init__(self, stack: Stack, mode: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.stack = stack
        self.target: Target = stack.targets[mode]
        assert isinstance(self.target.server, Milvus)
        self.server: Milvus = self.target.server
        self.outcome = Outcome(mode)
        base = stack.base_port
        self.etcd_gate = Gate(base + 45, stack.etcd.port)
        self.target_gate = Gate(base + 46, self.target.server.port)
        self.stopping = threading.Event()
        self.healed = threading.Event()  # the last fault is over
        self.writers: list[Writer] = [
            RowsWriter(stack.source_client, f"rows{i}", seed * 10 + i) for i in range(3)
        ]
        self.writers.append(ChurnWriter(stack.source_client, "churn", seed * 10 + 9))

    # --- faults -------------------------------------------------------------------------------

    def _gate_fault(self, gate: Gate, fault: Fault, seconds: float) -> None:
        gate.set(fault)
        self.stopping.wait(seconds)
        gate.set(NONE)

    def _freeze_target(self) -> None:
        self.target.server.process.freeze()
        self.stopping.wait(3)
        self.target.server.process.thaw()

    def _restart_target(self) -> None:
        self._restart(self.server)

    def _restart_source(self) -> None:
        self._restart(self.stack.source)

    def _restart(self, server: Milvus) -> None:
        """kill -9. A 2.3.5 that is back before its session has expired loses rows by itself."""
        server.kill()
        time.sleep(server.session_ttl + 2)
        server.start()

    def _faults(self) -> list[tuple[str, Callable[[], None]]]:
        pick = self.random
        found: list[tuple[str, Callable[[], None]]] = []
        for name, gate in (("etcd", self.etcd_gate), ("target", self.target_gate)):
            for kind in ("delay", "stall", "cut", "half_close", "truncate"):
                # A piece must not outlive the settle time of a drain: docs/operations/limits.md.
                fault = Fault(kind, pick.uniform(0.1, 0.7), pick.randrange(1, 200_000))
                seconds = pick.uniform(1, 6)
                found.append((f"{name} {kind}", partial(self._gate_fault, gate, fault, seconds)))
        found += [("target frozen", self._freeze_target)] * 2
        found.append(("target killed", self._restart_target))
        found.append(("source killed", self._restart_source))
        return found

    def _fault_loop(self) -> None:
        """Ends only with the process: the kernel would end servers that this thread restarted."""
        while not self.stopping.wait(FAULT_EVERY * self.random.uniform(0.5, 1.0)):
            name, act = self.random.choice(self._faults())
            print(f"{time.strftime('%H:%M:%S')} {self.outcome.mode}: {name}", flush=True)
            self.outcome.faults[name] += 1
            act()
        self.healed.set()
        threading.Event().wait()

    # --- the run ------------------------------------------------------------------------------

    def run(self, seconds: float) -> Outcome:
        began = time.monotonic()
        text = self.stack.cdc.configuration(etcd_address=self.etcd_gate.address)
        self.stack.cdc.start(text)
        task = self._create_task()
        for writer in self.writers:
            writer.start()
        threading.Thread(target=self._fault_loop, daemon=True).start()
        while time.monotonic() - began < seconds:
            self.stopping.wait(self.random.uniform(KILL_FROM, KILL_TO))
            self.outcome.replayed += self._replayed(task)
            self.stack.cdc.kill()
            self.outcome.kills += 1
            self.stack.cdc.start()
        for writer in self.writers:
            writer.stop()
        self.stopping.set()
        if not self.healed.wait(180):
            raise DeadlinePassed("a fault does not end")
        for gate in (self.etcd_gate, self.target_gate):
            gate.set(NONE)
        self.outcome.seconds = time.monotonic() - began
        self._settle(task)
        self._compare(task)
        for gate in (self.etcd_gate, self.target_gate):
            gate.close()
        return self.outcome

    def _create_task(self) -> Task:
        connect = dict(self.target.connect_param(), uri=f"http://{self.target_gate.address}")
        return self.stack.cdc.create(
            milvus_connect_param=connect, db_collections={"*": [{"name": "*"}]}
        )

    def _replayed(self, task: Task) -> int:
        try:
            return int(task.progress().get("rows_replayed", 0))
        except (OSError, CdcError, DeadlinePassed):
            return 0

    def _settle(self, task: Task) -> None:
        """Everything is well again: no manual step from here on."""
        began = time.monotonic()
        for writer in self.writers:
            writer.wait_readable()
            self.outcome.written.update(writer.written)
        last = max(max(writer.last_ts for writer in self.writers), now_ts())
        task.wait_safe(last, SETTLE_LIMIT)
        task.wait_health("ok", SETTLE_LIMIT)
        self.outcome.caught_up = time.monotonic() - began
        self.outcome.replayed += self._replayed(task)

    def _compare(self, task: Task) -> None:
        source, target = self.stack.source_client, self.target.client

        def objects_equal() -> bool:
            there = {(db, name) for db in target.databases() for name in target.collections(db)}
            here = {(db, name) for db in source.databases() for name in source.collections(db)}
            assert here == there, f"collections: source {here - there}, target {there - here}"
            for db, name in here:
                found = compare_objects(
                    Place(source, db, name), Place(target, db, name), self.target.traits
                )
                assert not found, "\n".join(found)
            return True

        try:
            until("the objects are equal", objects_equal, 60)
        except DeadlinePassed as error:
            self.outcome.differences.append(str(error))
        for db in source.databases():
            for name in source.collections(db):
                self.outcome.collections += 1
                if source.load_state(db, name) != "Loaded" or not target.exists(db, name):
                    continue
                self._compare_rows(task, db, name)

    def _compare_rows(self, task: Task, db: str, name: str) -> None:
        source = Place(self.stack.source_client, db, name)
        target = self.target.place(task, db, name)
        self.outcome.source_rows += source.client.count(db, name)
        self.outcome.target_rows += target.client.count(db, name, at=target.at)
        self.outcome.differences += compare_by_scan(source, target, self.target.traits)


def _lines(outcomes: list[Outcome], seed: int) -> list[str]:
    lines = [
        "# Report of the last `./x chaos`",
        "",
        f"{time.strftime('%Y-%m-%d')}, seed {seed}; Milvus 2.3.5 with RocksMQ as source. "
        "Written by the run itself; do not edit.",
        "",
        "| mode | minutes | kill -9 | faults | rows written | rows replayed | caught up in | "
        "rows at the end, source and target | result |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for o in outcomes:
        verdict = "equal" if not o.differences else f"{len(o.differences)} differences"
        lines.append(
            f"| {o.mode} | {o.seconds / 60:.1f} | {o.kills} | {o.faults.total()} | "
            f"{o.written['inserted'] + o.written['upserted']:,} | {o.replayed:,} | "
            f"{o.caught_up:.0f} s | {o.source_rows:,}, {o.target_rows:,} in {o.collections} "
            f"collections | {verdict} |"
        )
    for o in outcomes:
        faults = ", ".join(f"{n} × {kind}" for kind, n in sorted(o.faults.items()))
        written = ", ".join(f"{n:,} {kind}" for kind, n in sorted(o.written.items()))
        lines += ["", f"{o.mode}: {faults}.", "", f"Written: {written}."]
        lines += [f"- {text}" for text in o.differences]
    return lines


def _run_mode(mode: str, seconds: float, seed: int) -> Outcome:
    stack = Stack(BASE_PORT, target_session_ttl=8)
    keep = True
    try:
        stack.start(modes=(mode,))
        outcome = Chaos(stack, mode, seed).run(seconds)
        keep = bool(outcome.differences)
        return outcome
    finally:
        stack.stop(keep_data=keep)
        if keep:
            print(f"logs and data of all servers are kept in {stack.data}")


def main() -> int:
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    end_all_on_signals()
    parser = argparse.ArgumentParser(prog="./x chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--mode", choices=("replicate", "api"), action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    modes = options.mode or ["replicate", "api"]
    outcomes = [_run_mode(mode, options.minutes * 60 / len(modes), options.seed) for mode in modes]
    text = "\n".join(_lines(outcomes, options.seed)) + "\n"
    REPORT.write_text(text)
    print(text)
    return 1 if any(outcome.differences for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
