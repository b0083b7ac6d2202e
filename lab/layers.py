"""The layer rule: includes go one way, and third-party protocol headers stay in their folders."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What a folder may include beside itself. pipeline/ports.h, with rbac_ports.h for users and roles,
# is the contract that the edges (source, sink, store) implement; nothing else of the pipeline is
# theirs.
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "model": {"base"},
    "client": {"base", "model"},
    "pipeline": {"base", "model"},
    "source": {"base", "model", "client", "pipeline/ports.h", "pipeline/rbac_ports.h"},
    "sink": {"base", "model", "client", "pipeline/ports.h", "pipeline/rbac_ports.h"},
    "store": {"base", "model", "client", "pipeline/ports.h"},
    "verify": {"base", "model", "client", "pipeline/ports.h"},
    "cli": {"base"},
    "server": {
        *("base", "model", "client", "pipeline", "source", "sink", "store", "verify", "cli"),
    },
}

# Foreign header -> (folders whose .cc files may include it). A header named *_impl.h counts as a
# .cc file: only .cc files of its own folder include it. So does one named *_for_tests.h.
FOREIGN: list[tuple[str, set[str]]] = [
    (r"<(grpc|grpcpp|google/protobuf)/", {"client"}),
    (r"\.pb\.h[>\"]", {"client"}),
    (r"<rocksdb/", {"client"}),
    (r"<sqlite3\.h>", {"store", "base"}),
    (r"<(mysql|mysqld_error|errmsg)\.h>", {"store"}),
    (r"<spdlog/", {"base"}),
    (r"<(boost|yaml-cpp|prometheus)/", {"server"}),
    (r"<CLI/", {"cli", "server"}),
    (r"<curl/", {"cli"}),
]

_INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def _own(path: Path, header: str, folders: set[str]) -> str | None:
    """The complaint about including one of our own headers."""
    folder, _, _ = header.partition("/")
    here = path.relative_to(ROOT / "src").parts[0]
    private = header.endswith("_impl.h")
    if private and (folder != here or (path.suffix == ".h" and not path.name.endswith("_impl.h"))):
        return f"'{header}' is private to the .cc files of '{folder}'"
    if folder not in ALLOWED:
        return None if (path.parent / header).exists() else f"unknown folder in '{header}'"
    if folder == here or folder in folders or header in folders:
        return None
    return f"'{here}' must not include '{header}'"


def _foreign(path: Path, line: str) -> str | None:
    here = path.relative_to(ROOT / "src").parts[0]
    for pattern, folders in FOREIGN:
        if re.search(pattern, line):
            if here not in folders:
                return f"{line.strip()} is allowed only in {', '.join(sorted(folders))}"
            if path.suffix == ".h" and not path.name.endswith(("_impl.h", "_for_tests.h")):
                return f"{line.strip()} is allowed only in .cc files"
    return None


def violations(source_root: Path = ROOT / "src") -> list[str]:
    """One line per violation: file:line: what is wrong."""
    found: list[str] = []
    for path in sorted([*source_root.rglob("*.h"), *source_root.rglob("*.cc")]):
        here = path.relative_to(ROOT / "src").parts[0]
        name = path.relative_to(ROOT)
        if here not in ALLOWED:
            found.append(f"{name}: folder '{here}' has no place in lab/layers.py")
            continue
        text = path.read_text()
        for match in _INCLUDE.finditer(text):
            quoted, header = match.group(1) == '"', match.group(2)
            complaint = _foreign(path, match.group(0))
            generated = header.endswith(".pb.h")
            if complaint is None and quoted and not generated:
                complaint = _own(path, header, ALLOWED[here])
            if complaint:
                line = text.count("\n", 0, match.start(1)) + 1
                found.append(f"{name}:{line}: {complaint}")
    return found


def main() -> None:
    found = violations()
    for line in found:
        print(line)
    if found:
        sys.exit(f"layers: {len(found)} violations (the rule is in lab/layers.py)")
    print("layers: ok")


if __name__ == "__main__":
    main()
