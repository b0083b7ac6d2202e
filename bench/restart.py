"""Resume after kill -9: from the start of the process until a new row is readable, both modes."""

from __future__ import annotations

import statistics
import sys
import threading
import time

from lab.client import EVENTUALLY
from lab.replicated import MODES, both_modes, replicated
from lab.stack import Stack
from lab.waiting import until

RESTARTS = 15


def measure(stack: Stack, mode: str, restarts: int) -> list[float]:
    """Seconds; rows are being written all the time, so that each crash leaves a window."""
    target, cdc = stack.targets[mode], stack.cdc
    name = f"restart_{mode}"
    task, seeded = replicated(stack, mode, name, shards=2)
    stop = threading.Event()
    keys = iter(range(1, 1_000_000))
    lock = threading.Lock()

    def insert() -> int:
        with lock:
            key = next(keys)
            seeded.insert(keys=[key])
            return key

    def write() -> None:
        while not stop.wait(0.05):
            insert()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    samples = []
    for _ in range(restarts):
        time.sleep(2)
        cdc.kill()
        began = time.monotonic()
        cdc.launch()
        key = insert()
        until(
            f"row {key} is readable on the target",
            lambda key=key: target.client.query(  # type: ignore[misc]
                "default", name, f"id in [{key}]", None, EVENTUALLY
            ),
            30,
            interval=0.005,
        )
        samples.append(time.monotonic() - began)
    stop.set()
    writer.join()
    task.delete()
    return samples


def main(arguments: list[str]) -> None:
    restarts = int(arguments[0]) if arguments else RESTARTS
    with both_modes() as stack:
        for mode in MODES:
            samples = measure(stack, mode, restarts)
            p50, most = statistics.median(samples), max(samples)
            print(f"{mode}: {restarts} restarts, p50 {p50:.2f} s, max {most:.2f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
