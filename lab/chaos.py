"""Chaos: kill -9 of the server and faults of everything around it, under load, then count.

`./x chaos --minutes N` replicates one source into a standby and into an ordinary Milvus at once. It
ends with 0 only if, after everything is well again and without a manual step, all sides hold the
same objects and rows, every field equal. Writes docs/operations/chaos-report.md. With `--log kafka`
or `pulsar` the source's broker is among the victims, and so is the way to it; the report's name
then ends in that of the log.

The rows are those of the servers' own logs: what a killed Milvus 2.3.5 shows may differ from what
it has accepted. With --spare-milvus the Milvus servers are frozen but not killed, and what they
show is compared too.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab.broker import Broker
from lab.cdc_server import CdcError, CdcServer, Task
from lab.chaos_faults import Faults
from lab.chaos_writers import KINDS, ChurnWriter, RowsWriter, Writer
from lab.client import EVENTUALLY, Client, Key, ServerError
from lab.comparer import Place, compare_by_scan, compare_objects, compare_rows
from lab.gate import Gate
from lab.logged_rows import Name, Rows, compare_logged, count, logged_rows
from lab.milvus import Milvus
from lab.process import end_all_on_signals
from lab.stack import BASE_PORT, LOGS, Stack, Target
from lab.timestamps import now_ts
from lab.waiting import DeadlinePassed, until

REPORTS = Path(__file__).resolve().parent.parent / "docs" / "operations"
KILL_FROM, KILL_TO = 5.0, 20.0
SETTLE_LIMIT = 600.0


@dataclass
class Side:
    """One target, the task that writes into it, and what came of it."""

    mode: str
    target: Target
    server: Milvus
    gate: Gate
    task: Task | None = None
    replayed: int = 0
    caught_up: float = 0.0
    rows: int = 0
    shown: str = ""
    differences: list[str] = field(default_factory=list)

    def running(self) -> Task:
        assert self.task is not None
        return self.task

    def note_replayed(self) -> None:
        """Before a kill: the counter does not survive it."""
        try:
            self.replayed += int(self.running().progress().get("rows_replayed", 0))
        except (OSError, CdcError, DeadlinePassed):
            return


class Chaos:
    """One run. The kill loop runs here, faults and writers on threads of their own."""

    def __init__(self, stack: Stack, modes: tuple[str, ...], kill_milvus: bool, seed: int) -> None:
        self.random = random.Random(seed)
        self.stack = stack
        self.seconds = 0.0
        self.kills = 0
        self.source_rows: dict[Name, Rows] = {}
        self.source_shown = ""
        self.written: Counter[str] = Counter()
        base = stack.base_port
        self.etcd_gate = Gate(base + 45, stack.etcd.port)
        self.sides: list[Side] = []
        servers: dict[str, Milvus | Broker] = {"source": stack.source}
        gates = {"etcd": self.etcd_gate}
        if stack.broker is not None:
            servers["broker"] = stack.broker
            gates["broker"] = Gate(*stack.broker.gate_ports)
        for number, mode in enumerate(modes):
            target = stack.targets[mode]
            assert isinstance(target.server, Milvus)
            servers[f"{mode} target"] = target.server
            gate = Gate(base + 46 + number, target.server.port)
            self.sides.append(Side(mode, target, target.server, gate))
        gates |= {f"{side.mode} target": side.gate for side in self.sides}
        self.faults = Faults(gates, servers, kill_milvus, seed)
        source = stack.source_client
        self.writers: list[Writer] = [
            RowsWriter(source, kind, seed * 10 + i, kind) for i, kind in enumerate(KINDS)
        ]
        self.writers.append(ChurnWriter(source, "churn", seed * 10 + 9))

    @property
    def differences(self) -> list[str]:
        return [text for side in self.sides for text in side.differences]

    def run(self, seconds: float) -> None:
        began = time.monotonic()
        cdc = self.stack.cdc
        changes = {"etcd_address": self.etcd_gate.address}
        if self.stack.broker is not None:
            changes["log"] = self.stack.broker.source_config(gated=True)
        cdc.start(cdc.configuration(**changes))
        for side in self.sides:
            side.task = self._create_task(side, cdc)
        for writer in self.writers:
            writer.start()
        self.faults.start()
        while time.monotonic() - began < seconds:
            time.sleep(self.random.uniform(KILL_FROM, KILL_TO))
            for side in self.sides:
                side.note_replayed()
            cdc.kill()
            self.kills += 1
            cdc.start()
        for writer in self.writers:
            writer.stop()
        if not self.faults.heal(180):
            raise DeadlinePassed("a fault does not end")
        self.seconds = time.monotonic() - began
        for writer in self.writers:
            self.written.update(writer.written)
        last = max(max(writer.last_ts for writer in self.writers), now_ts())
        for side in self.sides:
            self._settle(side, last)
        self._compare_all()
        for gate in self.faults.gates.values():
            gate.close()

    def _create_task(self, side: Side, cdc: CdcServer) -> Task:
        connect = dict(side.target.connect_param(), uri=f"http://{side.gate.address}")
        return cdc.create(milvus_connect_param=connect, db_collections={"*": [{"name": "*"}]})

    def _loaded(self) -> list[Name]:
        """The collections that can be read at the source."""
        source = self.stack.source_client
        return [name for name in source.everything() if source.load_state(*name) == "Loaded"]

    def _settle(self, side: Side, last: int) -> None:
        """Everything is well again: no manual step from here on."""
        began = time.monotonic()
        side.running().wait_safe(last, SETTLE_LIMIT)
        side.running().wait_health("ok", SETTLE_LIMIT)
        side.caught_up = time.monotonic() - began
        side.note_replayed()

    # --- comparison ---------------------------------------------------------------------------

    def _compare_all(self) -> None:
        source = self.stack.source_client
        names = source.everything()
        self.source_rows = logged_rows(self.stack.source, source, names)
        self.source_shown = self._shown(source, self.source_rows)
        for side in self.sides:
            try:
                equal = partial(self._objects_equal, side, names)
                until("the objects are equal", equal, 300)
            except DeadlinePassed as error:
                side.differences.append(str(error))
            there = [name for name in names if side.target.client.exists(*name)]
            rows = logged_rows(side.server, side.target.client, there)
            for which, logged in rows.items():
                side.rows += count(logged)
                side.differences += compare_logged(which, self.source_rows[which], logged)
            side.shown = self._shown(side.target.client, rows)
            if not self.faults.kill:
                for db, name in self._loaded():
                    self._compare_shown(side, db, name)

    def _objects_equal(self, side: Side, names: list[Name]) -> bool:
        source, target = self.stack.source_client, side.target.client
        here = set(names)
        there = set(target.everything())
        assert here == there, f"collections: source {here - there}, target {there - here}"
        for db, name in names:
            found = compare_objects(
                Place(source, db, name), Place(target, db, name), side.target.traits
            )
            assert not found, "\n".join(found)
        return True

    def _shown(self, client: Client, logged: dict[Name, Rows]) -> str:
        """What count(*) says now beside the log; a server that was killed may never show all."""
        shown = unreadable = total = 0
        for db, name in self._loaded():
            total += count(logged.get((db, name), {}))
            try:
                shown += client.count(db, name, at=EVENTUALLY)
            except ServerError:
                unreadable += 1
        return f"{shown:,} of {total:,}" + (f", {unreadable} unreadable" if unreadable else "")

    def _compare_shown(self, side: Side, db: str, name: str) -> None:
        source = Place(self.stack.source_client, db, name)
        target = side.target.place(side.running(), db, name)
        traits = side.target.traits
        writer = next((w for w in self.writers if w.prefix == name), None)
        found: list[str] = []

        def read() -> bool:
            nonlocal found
            if isinstance(writer, RowsWriter) and writer.kind == "text_keys":
                keys: dict[str | None, list[Key]] = dict(writer.tried)
                found = compare_rows(source, target, keys, traits)
            else:
                found = compare_by_scan(source, target, traits)
            return True

        until(f"{db}.{name} can be read on both sides", read, SETTLE_LIMIT)
        side.differences += found

    # --- report -------------------------------------------------------------------------------

    def report(self, seed: int) -> str:
        rows = self.written["inserted"] + self.written["upserted"]
        faults = self.faults.counts
        held = sum(count(logged) for logged in self.source_rows.values())
        lines = [
            "# Report of the last `./x chaos`",
            "",
            f"{time.strftime('%Y-%m-%d')}, seed {seed}: {self.seconds / 60:.1f} minutes, "
            f"{self.kills} × kill -9 of milvus-cdc, {faults.total()} other faults; "
            f"{rows:,} rows written at the source, a Milvus 2.3.5 on {self.stack.source.log_kind}. "
            "Written by the run itself; do not edit.",
            "",
            "| mode | rows replayed | caught up in | rows by the logs | result | `count(*)` |",
            "|---|---|---|---|---|---|",
            f"| source | | | {held:,} in {len(self.source_rows)} collections | | "
            f"{self.source_shown} |",
        ]
        for side in self.sides:
            found = len(side.differences)
            lines.append(
                f"| {side.mode} | {side.replayed:,} | {side.caught_up:.0f} s | {side.rows:,} | "
                f"{f'{found} differences' if found else 'equal'} | {side.shown} |"
            )
        lines += ["", "Faults: " + _listed(faults) + ".", "", f"Written: {_listed(self.written)}."]
        lines += [f"- {side.mode}: {text}" for side in self.sides for text in side.differences]
        return "\n".join(lines) + "\n"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} × {what}" for what, n in sorted(counts.items()))


def run_chaos(
    base_port: int,
    modes: tuple[str, ...],
    kill_milvus: bool,
    seconds: float,
    seed: int,
    log: str = "rocksmq",
) -> Chaos:
    """The servers' logs and data are kept when something differs or goes wrong."""
    stack = Stack(base_port, log=log)
    keep = True
    try:
        stack.start(modes=modes)
        chaos = Chaos(stack, modes, kill_milvus, seed)
        chaos.run(seconds)
        keep = bool(chaos.differences)
        return chaos
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
    parser.add_argument("--log", choices=LOGS, default="rocksmq", help="of the source")
    parser.add_argument("--report", type=Path)
    parser.add_argument(
        "--spare-milvus", action="store_true", help="freeze it and its broker, do not kill them"
    )
    options = parser.parse_args()
    modes = tuple(options.mode or ("replicate", "api"))
    seconds, kill = options.minutes * 60, not options.spare_milvus
    chaos = run_chaos(BASE_PORT, modes, kill, seconds, options.seed, options.log)
    text = chaos.report(options.seed)
    ending = "" if options.log == "rocksmq" else f"-{options.log}"
    (options.report or REPORTS / f"chaos-report{ending}.md").write_text(text)
    print(text)
    return 1 if chaos.differences else 0


if __name__ == "__main__":
    sys.exit(main())
