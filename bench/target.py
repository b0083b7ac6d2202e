"""Writing to a target with a latency, beside the same calls sent from memory; and its lag.

A RocksMQ is replicated into a target inside the bench, which answers each call after 10 ms.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from lab.process import end_all_on_signals

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "target_bench"
# Rows in all, bytes of a message.
SIZES = {"64 KiB": (600_000, 65_536), "4 KiB": (400_000, 4_096), "single rows": (300_000, 600)}
RATE_SECONDS = 15


def run(*arguments: object) -> dict[str, float]:
    done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return dict(json.loads(done.stdout)) if done.stdout else {}


def drains(folder: Path, mode: list[str], pairs: int) -> tuple[float, float, float, float]:
    """Rows per second of ours, calls of one run, median and lowest share of the memory's rate."""
    shares: list[float] = []
    rates: list[float] = []
    calls = 0.0
    for number in range(-1, pairs):  # the first one warms the caches
        for file in folder.glob("store.db*"):
            file.unlink()
        result = run("--folder", folder, *mode)
        if number >= 0:
            shares.append(result["from_memory"] / result["seconds"])
            rates.append(result["rows"] / result["seconds"])
            calls = result["calls"]
    return statistics.median(rates), calls, statistics.median(shares), min(shares)


def lag(rate: float, size: int, mode: list[str]) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
    try:
        rows = int(rate * RATE_SECONDS)
        return run("--folder", folder, "--rows", rows, "--bytes", size, "--rate", int(rate), *mode)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    pairs = parser.parse_args().pairs
    build = ["cmake", "--build", str(ROOT / "build" / "release"), "--target", "target_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    end_all_on_signals()
    print(
        "| mode | messages | rows/s | calls | of the calls from memory (least) | lag p50, p99 "
        "| age of the source's newest tick p50, p99 |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (rows, size) in SIZES.items():
        folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
        try:
            run("--folder", folder, "--rows", rows, "--bytes", size, "--write")
            for mode in ("api", "replicate"):
                flag = ["--replicate"] if mode == "replicate" else []
                rate, calls, median, least = drains(folder, flag, pairs)
                behind = lag(rate / 2, size, flag)
                print(
                    f"| {mode} | {name} | {rate:,.0f} | {calls:,.0f} | {median:.0%} ({least:.0%}) "
                    f"| {behind['lag_p50_ms']:.0f}, {behind['lag_p99_ms']:.0f} ms "
                    f"| {behind['source_p50_ms']:.0f}, {behind['source_p99_ms']:.0f} ms |",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
