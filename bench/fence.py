"""The fence's price: store writes, instructions per row, and throughput with and without it.

From a RocksMQ through the pipeline into nothing, so that nothing hides the price: a real target is
slower by far. Run it on an idle machine. "Without" is one fence that covers everything.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "fence_bench"
PAIRS = 21
WITHOUT = ("--without-fence",)


@dataclass
class Figures:
    seconds: float = 0.0
    processor: float = 0.0  # seconds
    commits: int = 0
    rows: int = 0
    said: str = ""


def run(folder: Path, *options: str, wrapper: tuple[str, ...] = ()) -> Figures:
    """One run with a new store."""
    for file in folder.glob("store.db*"):
        file.unlink()
    command = [*wrapper, str(BINARY), "--folder", str(folder), *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = Figures(**json.loads(done.stdout)) if done.stdout else Figures()
    figures.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures.said = done.stderr
    return figures


def told(what: str, ratios: list[float]) -> str:
    low, median, high = statistics.quantiles(ratios, n=4)
    return (
        f"{what} {median:+.1%} (quartiles {low:+.1%} to {high:+.1%}, "
        f"extremes {min(ratios):+.1%} to {max(ratios):+.1%})"
    )


def throughput(folder: Path, what: str, pairs: int) -> None:
    run(folder)  # the files are in the page cache
    seconds, processor, rates, writes = [], [], [], []
    for number in range(pairs):
        order = ((), WITHOUT) if number % 2 else (WITHOUT, ())
        both = {options: run(folder, *options) for options in order}
        paid, free = both[()], both[WITHOUT]
        seconds.append(paid.seconds / free.seconds - 1)
        processor.append(paid.processor / free.processor - 1)
        rates.append(paid.rows / paid.seconds)
        writes.append(paid.commits - free.commits)
    print(
        f"{what}: {statistics.median(rates):,.0f} rows/s with the fence, "
        f"{statistics.median(writes):.0f} more store writes; price, median of {pairs} pairs: "
        f"{told('time', seconds)}, {told('processor time', processor)}",
        flush=True,
    )


def counted(folder: Path, *options: str) -> int:
    """Instructions of one run, counted by callgrind."""
    wrapper = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    said = run(folder, *options, wrapper=wrapper).said
    found = re.search(r"Collected : (\d+)", said)
    assert found, said
    return int(found.group(1))


def per_row(small: Path, large: Path, more_rows: int, *options: str) -> float:
    return (counted(large, *options) - counted(small, *options)) / more_rows


def main(arguments: list[str]) -> None:
    pairs = int(arguments[0]) if arguments else PAIRS
    build = ["cmake", "--build", str(ROOT / "build" / "release"), "--target", "fence_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
    try:
        sources = {
            "64 KiB messages": (3_000_000, 65_536),
            "single rows": (500_000, 600),
            "few": (20_000, 600),
            "twice": (40_000, 600),
        }
        for name, (rows, size) in sources.items():
            (folder / name).mkdir()
            run(folder / name, "--rows", str(rows), "--bytes", str(size), "--write")
        for name in ("64 KiB messages", "single rows"):
            throughput(folder / name, name, pairs)
        paid, free = (
            per_row(folder / "few", folder / "twice", 20_000, *options) for options in ((), WITHOUT)
        )
        print(
            f"instructions per single row: {paid:,.0f} with, {free:,.0f} without: "
            f"{paid / free - 1:+.1%}"
        )
        for options in ((), WITHOUT):
            live = folder / f"live{len(options)}"
            live.mkdir()
            figures = run(live, "--rows", "20000", "--rate", "2000", *options)
            name = "without" if options else "with"
            print(
                f"2,000 single rows/s for 10 s, {name}: "
                f"{figures.commits / figures.seconds:.1f} store writes/s"
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
