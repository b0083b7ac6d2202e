"""A backlog of 80,000 rows of 768 floats into a real Milvus, beside a bulk load of the same rows.

The bulk load is what the best settings of a client reach on the same target: pymilvus, columns of
numpy arrays, with the batch size and the number of threads that were fastest in a first round.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import threading
import time
from typing import Any

import numpy as np
from pymilvus import Collection

from lab.bulk import Bulk
from lab.client import Client
from lab.replicated import MODES, both_modes
from lab.stack import LOGS, Stack

ROWS = 80_000
DIM = 768
SETTINGS = [(1000, 1), (1000, 2), (2000, 2), (4000, 1), (4000, 2), (4000, 4)]  # batch, threads


def load(client: Client, name: str, rows: int, batch: int, threads: int) -> float:
    """Seconds of a bulk load into a new collection, which is dropped behind."""
    bulk = Bulk(client, "default", name, dim=DIM).create()
    values = np.random.default_rng(1)
    jobs: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    for first in range(0, rows, batch):
        ids = np.arange(first, first + batch)
        jobs.put([ids, ids, list(values.random((batch, DIM), dtype=np.float32))])

    def work() -> None:
        while True:
            try:
                columns = jobs.get_nowait()
            except queue.Empty:
                return
            bulk.collection.insert(columns)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.monotonic() - began
    Collection(name, using=client.alias("default")).drop()
    return took


def drain(stack: Stack, mode: str, number: int) -> tuple[float, float]:
    """Seconds from resume until all is on the target, and processor seconds of milvus-cdc."""
    name = f"drain_{mode}_{number}"
    task = stack.cdc.create(
        milvus_connect_param=stack.targets[mode].connect_param(),
        db_collections={"default": [{"name": f"{name}*"}]},
    )
    bulk = Bulk(stack.source_client, "default", name, dim=DIM).create()
    bulk.insert(0, 10)
    task.wait_safe(bulk.last_ts)
    task.pause()
    for first in range(10, ROWS, 1000):
        bulk.insert(first, min(1000, ROWS - first))
    before = stack.cdc.process.cpu_seconds
    began = time.monotonic()
    task.resume()
    task.wait_safe(bulk.last_ts, 300)
    took = time.monotonic() - began
    spent = stack.cdc.process.cpu_seconds - before
    task.delete()
    for client in (stack.source_client, stack.targets[mode].client):
        Collection(name, using=client.alias("default")).drop()
    return took, spent


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench drain", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--log", choices=LOGS, default="rocksmq", help="of the source")
    options = parser.parse_args()
    with both_modes(options.log) as stack:
        plain = stack.targets["api"].client
        best = min(SETTINGS, key=lambda s: load(plain, "trial", ROWS // 4, *s))
        print(f"bulk load: batches of {best[0]} rows, {best[1]} threads")
        for mode in MODES:
            ours, direct, spent = [], [], []
            for number in range(options.pairs):
                direct.append(load(plain, "direct", ROWS, *best))
                took, cpu = drain(stack, mode, number)
                ours.append(took)
                spent.append(cpu)
            shares = [o / d for o, d in zip(ours, direct, strict=True)]
            print(
                f"{options.log} to {mode}: drain {statistics.median(ours):.1f} s, bulk load "
                f"{statistics.median(direct):.1f} s, ratio {statistics.median(shares):.2f} "
                f"({min(shares):.2f} to {max(shares):.2f}), {statistics.median(spent):.2f} "
                f"processor s, {stack.cdc.process.memory_mb('VmHWM'):.0f} MB at the highest",
                flush=True,
            )


if __name__ == "__main__":
    main()
