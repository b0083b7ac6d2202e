"""Work per message: instructions, allocations and copied bytes; --check compares with those kept.

Instructions are counted by callgrind. The counts hardly depend on the machine and its load, so that
a change of a few percent is a change of the code. They are those of the compiler and the libraries
of Debian 12; after a change that is meant, write them anew with --keep. What the kernel copies out
of files and into sockets is in none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
KEPT = Path(__file__).with_name("instructions.toml")
TOLERANCE = 0.05
SIZES = {"row": 600, "64 KiB": 65_536}
MESSAGES = {"row": 4_000, "64 KiB": 800}


@dataclass(frozen=True)
class Work:
    """Of a run, or per message."""

    instructions: float
    allocations: float
    copied: float  # bytes

    def per_message(self, more: Work, messages: int) -> Work:
        """Of the messages that `more` has more; what starting costs is in both."""
        return Work(
            (more.instructions - self.instructions) / messages,
            (more.allocations - self.allocations) / messages,
            (more.copied - self.copied) / messages,
        )

    def least(self, other: Work) -> Work:
        return Work(
            min(self.instructions, other.instructions),
            min(self.allocations, other.allocations),
            min(self.copied, other.copied),
        )


def counted(*command: object, folder: Path | None = None) -> Work:
    """Runs it twice; `folder` is where it leaves a store, which the second run is not to find."""
    words = [str(word) for word in command]
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run([*valgrind, *words], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{words}: {done.stderr}")
    for left in folder.glob("store.db*") if folder else ():
        left.unlink()
    with tempfile.NamedTemporaryFile("r", prefix="milvus-cdc-bench-") as report:
        counters = {
            "LD_PRELOAD": str(BUILD / "bench" / "libwork_counters.so"),
            "WORK_COUNTERS": report.name,
        }
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=os.environ | counters)
        sums = json.load(report)
    return Work(int(found.group(1)), sums["allocations"], sums["copied"])


def plan(size: str, *options: str) -> Work:
    def run(rounds: int) -> Work:
        common = ["--messages", MESSAGES[size], "--bytes", SIZES[size], *options]
        return counted(BUILD / "plan_bench", *common, "--rounds", rounds)

    return run(1).per_message(run(3), 2 * MESSAGES[size])


def read(size: str, folder: Path) -> Work:
    """From a RocksMQ through the pipeline into nothing."""

    def run(messages: int) -> Work:
        rows = messages * max(1, SIZES[size] // 528)
        at = folder / f"{size}{messages}"
        at.mkdir()
        binary = BUILD / "read_bench"
        common = ["--channel", "bench", "--rows", rows]
        write = [binary, *common, "--bytes", SIZES[size], "--write", at]
        subprocess.run([str(word) for word in write], check=True)
        return counted(binary, *common, "--folder", at, "--look-ms", 100, folder=at)

    return run(MESSAGES[size]).per_message(run(2 * MESSAGES[size]), MESSAGES[size])


def measure() -> dict[str, Work]:
    folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
    try:
        return {
            "row, read into nothing": read("row", folder),
            "64 KiB, read into nothing": read("64 KiB", folder),
            "row, into calls of api mode": plan("row"),
            "64 KiB, into calls of api mode": plan("64 KiB"),
            "row, into calls of replicate mode": plan("row", "--replicate"),
            "64 KiB, into calls of replicate mode": plan("64 KiB", "--replicate"),
        }
    finally:
        shutil.rmtree(folder)


def compare(found: dict[str, Work], kept: dict[str, dict[str, float]]) -> list[str]:
    """What has become dearer, or so much cheaper that it should be kept."""
    wrong = []
    for name, work in found.items():
        said = []
        for what, count in asdict(work).items():
            before = kept[name][what]
            change = count / before - 1
            unit = "bytes copied" if what == "copied" else what
            said.append(f"{count:,.0f} {unit} ({change:+.1%})")
            # Less than one allocation is how the threads met; code costs every message whole ones.
            if abs(change) > TOLERANCE and abs(count - before) > 0.9:
                wrong.append(f"{name}: {count:,.0f} {unit}, {change:+.1%} against {before:,}")
        print(f"{name}: {', '.join(said)}")
    return wrong


def keep(found: dict[str, Work]) -> None:
    lines = ["# Work per message: see instructions.py."]
    for name, work in found.items():
        lines.append(f'["{name}"]')
        lines += [f"{what} = {round(count, 1):g}" for what, count in asdict(work).items()]
    KEPT.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./x bench instructions", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if one has changed")
    parser.add_argument("--keep", action="store_true", help="write them into instructions.toml")
    options = parser.parse_args()
    targets = ["plan_bench", "read_bench", "work_counters"]
    build = ["cmake", "--build", str(BUILD), "--target", *targets]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    found = measure()
    if options.keep:
        keep(found)
    kept = tomllib.loads(KEPT.read_text())
    wrong = compare(found, kept)
    if options.check and wrong:
        # How often threads meet only adds: the least counts.
        print("once more:")
        again = measure()
        wrong = compare({name: work.least(again[name]) for name, work in found.items()}, kept)
    if options.check and wrong:
        print(
            f"changed by more than {TOLERANCE:.0%} (./x bench instructions --keep if it is meant):"
        )
        print("\n".join(wrong))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
