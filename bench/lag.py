"""Lag of single rows, both modes, beside the two floors that nobody can beat."""

from __future__ import annotations

import argparse
import random
import threading
import time
from dataclasses import dataclass

from lab.client import EVENTUALLY, Client
from lab.quantiles import quantile
from lab.replicated import MODES, both_modes, replicated
from lab.seeder import Seeded
from lab.stack import LOGS, Stack
from lab.ticks import TickWatch
from lab.waiting import until

ROWS = 200


@dataclass
class Sample:
    """Seconds from the acknowledgement of one insert."""

    tick: float  # to the source's covering time tick in its log
    source: float  # to the row being readable on the source
    target: float  # to the row being readable on the target


class Reader(threading.Thread):
    """Asks one server for one row until it is there."""

    def __init__(self, client: Client, seeded: Seeded, key: int) -> None:
        super().__init__(daemon=True)
        self._question = (client, seeded.db, seeded.name, f"id in [{key}]")
        self.seen = 0.0

    def run(self) -> None:
        client, db, name, expr = self._question
        until(
            f"{expr} is readable on {client.label}",
            lambda: client.query(db, name, expr, None, EVENTUALLY),
            20,
            interval=0.001,
        )
        self.seen = time.monotonic()


def _one(seeded: Seeded, key: int, target: Client, watch: TickWatch) -> Sample:
    seeded.insert(keys=[key])
    acknowledged = time.monotonic()
    readers = [Reader(client, seeded, key) for client in (seeded.client, target)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    covered = until("a covering tick", lambda: watch.covering(seeded.last_ts), 10, 0.001) or 0.0
    source, there = (reader.seen - acknowledged for reader in readers)
    return Sample(max(covered - acknowledged, 0.0), source, there)


def measure(stack: Stack, mode: str, rows: int) -> list[Sample]:
    """Replicates one collection of one shard and times `rows` inserts, one after the other."""
    target = stack.targets[mode]
    name = f"lag_{mode}"
    task, seeded = replicated(stack, mode, name, shards=1)
    pchannel = stack.source_client.describe("default", name).physical_channel_names[0]
    watch = TickWatch(stack.source, pchannel)
    watch.start()
    chance = random.Random(1)
    samples = []
    for key in range(1, rows + 1):
        time.sleep(chance.uniform(0.0, 0.3))  # any phase of the source's tick
        samples.append(_one(seeded, key, target.client, watch))
    watch.stop()
    task.delete()
    return samples


def _line(name: str, values: list[float]) -> str:
    cells = [f"{quantile(values, share) * 1000:7.0f}" for share in (0.5, 0.9, 0.99, 1.0)]
    return f"| {name:<52} | " + " | ".join(cells) + " |"


def show(log: str, mode: str, samples: list[Sample]) -> None:
    """The floor of a row: in api mode the target stamps anew and waits for a tick of its own, so
    both floors add up; in replicate mode the row becomes readable as on one Milvus."""
    lags = [s.target for s in samples]
    if mode == "api":
        floors = [s.tick + s.source for s in samples]
        floor_name = "floor of this mode: 1 + 2"
    else:
        floors = [max(s.tick, s.source) for s in samples]
        floor_name = "floor of this mode: the later of 1 and 2"
    print(f"\n### {log}, {mode} mode, {len(samples)} single rows, milliseconds\n")
    title = "from the acknowledgement of an insert to"
    print(f"| {title:<52} |     p50 |     p90 |     p99 |     max |")
    print("|" + "-" * 54 + ("|" + "-" * 9) * 4 + "|")
    print(_line("1. the covering time tick in the source's log", [s.tick for s in samples]))
    print(_line("2. readable on the source itself", [s.source for s in samples]))
    print(_line(floor_name, floors))
    print(_line("readable on the target (Eventually)", lags))
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        added = quantile(lags, share) - quantile(floors, share)
        print(f"added to the floor at {name}: {added * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench lag", description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    parser.add_argument("--log", choices=LOGS, default="rocksmq", help="of the source")
    options = parser.parse_args()
    with both_modes(options.log) as stack:
        for mode in MODES:
            show(options.log, mode, measure(stack, mode, options.rows))


if __name__ == "__main__":
    main()
