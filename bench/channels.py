"""Many channels that are all behind: resident memory with a target that takes nothing, and rows/s.

The same rows in all, 64 KiB messages of 128 random floats, spread over 4, 16 and 64 channels of one
collection. Frozen: a target that never answers. Slow: one that answers each call after 10 ms.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from read import address_of, fill

from lab.broker import Broker
from lab.process import end_all_on_signals
from lab.stack import BASE_PORT, LOGS, make_broker

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "channels_bench"
COUNTS = (4, 16, 64)
ROWS = {"rocksmq": 1_500_000, "kafka": 1_000_000, "pulsar": 500_000}
BYTES = 65_536
NEVER_MS = 3_600_000
FROZEN_SECONDS = 12


@contextmanager
def target(latency_ms: int) -> Iterator[str]:
    """The port of a target in another process, so that its memory does not count."""
    with subprocess.Popen(
        [str(BINARY), "--serve", str(latency_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def run(arguments: list[str], folder: Path) -> dict[str, float]:
    for file in folder.glob("store.db*"):
        file.unlink()
    done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(log: str, broker: Broker | None, count: int, folder: Path, runs: int) -> None:
    common = ["--folder", str(folder), "--channels", str(count)]
    backlog = ["--rows", str(ROWS[log]), "--bytes", str(BYTES), "--write"]
    brokers = [] if broker is None else ["--brokers"]
    subprocess.run([str(BINARY), *common, *backlog, *brokers], check=True)
    if broker is not None:
        for number in range(count):
            channel = f"bench{count}-rootcoord-dml_{number}"
            fill(log, broker, channel, folder / f"messages.{number}")
    common += address_of(log, broker)
    for mode in ("nothing", "api", "replicate"):
        into = [] if mode == "nothing" else ["--mode", mode]
        frozen = 0.0
        if mode != "nothing":
            with target(NEVER_MS) as port:
                limit = ["--port", port, "--seconds", str(FROZEN_SECONDS)]
                frozen = run([*common, *into, *limit], folder)["most_mb"]
        with target(10) as port:
            slow = [run([*common, *into, "--port", port], folder) for _ in range(runs)]
        rate = statistics.median(one["rows"] / one["seconds"] for one in slow)
        most = max(one["most_mb"] for one in slow)
        kept = f"{frozen:.0f} MB" if frozen else ""
        print(
            f"| {log} | {mode} | {count} | {kept} | {most:.0f} MB | {rate:,.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench channels", description=__doc__)
    parser.add_argument("logs", nargs="*", choices=[[], *LOGS], help="all without any")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    options = parser.parse_args()
    build = ["cmake", "--build", str(ROOT / "build" / "release"), "--target", "channels_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    end_all_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
    try:
        print("| log | into | channels | most memory, frozen | slow | rows/s, slow |")
        print("|---|---|---|---|---|---|")
        for log in options.logs or LOGS:
            broker = make_broker(log, folder / log, BASE_PORT + 700)
            if broker is not None:
                broker.start()
            for count in options.counts:
                at = folder / f"{log}{count}"
                at.mkdir()
                measure(log, broker, count, at, options.runs)
                shutil.rmtree(at)
            if broker is not None:
                broker.kill()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
