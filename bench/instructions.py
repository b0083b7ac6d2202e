"""Instructions per message, counted by callgrind; --check compares them with the last ones kept.

Counts hardly depend on the machine and its load, so that a change of a few percent is a change of
the code. They are those of the compiler and the libraries of Debian 12; after a change that is
meant, write them anew with --keep.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
KEPT = Path(__file__).with_name("instructions.toml")
TOLERANCE = 0.05
SIZES = {"row": 600, "64 KiB": 65_536}
MESSAGES = {"row": 4_000, "64 KiB": 400}


def counted(*command: object) -> int:
    """Instructions of one run."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run([*valgrind, *map(str, command)], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{command}: {done.stderr}")
    return int(found.group(1))


def plan(size: str, *options: str) -> float:
    def run(rounds: int) -> int:
        common = ["--messages", MESSAGES[size], "--bytes", SIZES[size], *options]
        return counted(BUILD / "plan_bench", *common, "--rounds", rounds)

    return (run(3) - run(1)) / (2 * MESSAGES[size])


def read(size: str, folder: Path) -> float:
    """From a RocksMQ through the pipeline into nothing; what starting costs is in both runs."""

    def run(messages: int) -> int:
        rows = messages * max(1, SIZES[size] // 528)
        at = folder / f"{size}{messages}"
        at.mkdir()
        binary = BUILD / "read_bench"
        common = ["--channel", "bench", "--rows", rows]
        write = [binary, *common, "--bytes", SIZES[size], "--write", at]
        subprocess.run([str(word) for word in write], check=True)
        return counted(binary, *common, "--folder", at)

    return (run(2 * MESSAGES[size]) - run(MESSAGES[size])) / MESSAGES[size]


def measure() -> dict[str, float]:
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


def compare(found: dict[str, float], kept: dict[str, int]) -> list[str]:
    """What has become dearer, or so much cheaper that it should be kept."""
    wrong = []
    for name, count in found.items():
        change = count / kept[name] - 1
        print(f"{name}: {count:,.0f} instructions, {change:+.1%} against {kept[name]:,}")
        if abs(change) > TOLERANCE:
            wrong.append(f"{name}: {change:+.1%}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="./x bench instructions", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if one has changed")
    parser.add_argument("--keep", action="store_true", help="write them into instructions.toml")
    options = parser.parse_args()
    build = ["cmake", "--build", str(BUILD), "--target", "plan_bench", "read_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    found = measure()
    if options.keep or not KEPT.exists():
        lines = [f'"{name}" = {count:.0f}' for name, count in found.items()]
        KEPT.write_text(
            "# Instructions per message: see instructions.py.\n" + "\n".join(lines) + "\n"
        )
    wrong = compare(found, tomllib.loads(KEPT.read_text()))
    if options.check and wrong:
        print(
            f"changed by more than {TOLERANCE:.0%} (./x bench instructions --keep if it is meant):"
        )
        print("\n".join(wrong))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
