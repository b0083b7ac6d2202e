"""Single rows at a steady rate, real Milvus on both sides: how far the target is behind.

The lag of a row: from the acknowledgement of its insert until the task's safe time covers it.
"""

from __future__ import annotations

import argparse
import bisect
import subprocess
import threading
import time
from pathlib import Path

from lab.cdc_server import Task
from lab.quantiles import quantile
from lab.replicated import MODES, both_modes, replicated
from lab.stack import Stack

BUILD = Path(__file__).resolve().parent.parent / "build" / "release"


class SafeTime(threading.Thread):
    """Watches the safe time of a task: when was it first seen at or beyond a timestamp?"""

    def __init__(self, task: Task) -> None:
        super().__init__(daemon=True)
        self._task = task
        self._ended = threading.Event()
        self.times: list[float] = []
        self.safe: list[int] = []

    def run(self) -> None:
        while not self._ended.wait(0.02):
            safe = self._task.safe_ts
            self.times.append(time.monotonic())
            self.safe.append(safe)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def reached(self, ts: int) -> float:
        return self.times[bisect.bisect_left(self.safe, ts)]


def measure(stack: Stack, mode: str, rate: int, seconds: int) -> tuple[list[float], float, float]:
    """Lags in seconds, rows per second really written, processor seconds of milvus-cdc."""
    name = f"steady_{mode}"
    # Not loaded: to serve it as well is more than this machine has for a source at this rate.
    task, _ = replicated(stack, mode, name, shards=2, load=False)
    host, port = stack.source.uri.removeprefix("http://").split(":")
    watch = SafeTime(task)
    watch.start()
    spent = stack.cdc.process.cpu_seconds
    command = [
        str(BUILD / "insert_bench"),
        f"--host={host}",
        f"--port={port}",
        f"--collection={name}",
    ]
    done = subprocess.run(
        [*command, f"--rate={rate}", f"--seconds={seconds}"], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    written = [(int(at) / 1e9, int(ts)) for at, ts in map(str.split, done.stdout.splitlines())]
    task.wait_safe(max(ts for _, ts in written), 120)
    time.sleep(0.1)
    spent = stack.cdc.process.cpu_seconds - spent
    watch.stop()
    task.delete()
    took = max(at for at, _ in written) - min(at for at, _ in written)
    return [max(0.0, watch.reached(ts) - at) for at, ts in written], len(written) / took, spent


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench steady", description=__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="rows per second")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    build = ["cmake", "--build", str(BUILD), "--target", "insert_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    with both_modes() as stack:
        for mode in MODES:
            lags, rate, spent = measure(stack, mode, options.rate, options.seconds)
            print(
                f"{mode}: {rate:,.0f} rows/s, lag p50 {quantile(lags, 0.5) * 1000:.0f} ms, p99 "
                f"{quantile(lags, 0.99) * 1000:.0f} ms, max {max(lags) * 1000:.0f} ms, "
                f"{spent:.1f} processor s",
                flush=True,
            )


if __name__ == "__main__":
    main()
