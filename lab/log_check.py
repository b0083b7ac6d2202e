"""The program log_check: a message queue as milvus-cdc reads it, one line of JSON per entry."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from lab.places import cdc_binary
from lab.process import Process
from lab.waiting import until


class Entry(NamedTuple):
    id: str
    size: int
    crc: int
    streaming: bool


class Sent(NamedTuple):
    """What a test wrote, to be compared with what was read."""

    id: str
    size: int
    crc: int

    @classmethod
    def of(cls, id: object, payload: bytes) -> Sent:
        return cls(str(id), len(payload), zlib.crc32(payload))


def plain(entries: list[Entry]) -> list[Sent]:
    assert not any(entry.streaming for entry in entries)
    return [Sent(entry.id, entry.size, entry.crc) for entry in entries]


class Failure(NamedTuple):
    error: str
    retry: bool
    gone: bool


class LogCheck:
    """One run of it. Ends by itself after `--count`, `--until-end` or a fatal error."""

    def __init__(self, output: Path, arguments: list[str]) -> None:
        self.process = Process("log_check", output)
        self.process.start([str(cdc_binary().parent / "log_check"), *arguments])

    def _lines(self) -> list[dict[str, Any]]:
        """What it printed so far; its log goes to the same file."""
        found: list[dict[str, Any]] = []
        for line in self.text().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                found.append(json.loads(line))
        return found

    def text(self) -> str:
        return self.process.log.read_text()

    def entries(self) -> list[Entry]:
        return [Entry(**line) for line in self._lines() if "id" in line]

    def failures(self) -> list[Failure]:
        return [Failure(**line) for line in self._lines() if "error" in line]

    def answers(self) -> dict[str, dict[str, Any]]:
        """Of --latest or --held: topic -> the rest of the line."""
        return {line.pop("topic"): line for line in self._lines() if "topic" in line}

    def wait_entries(self, count: int, timeout: float = 60) -> list[Entry]:
        def enough() -> list[Entry]:
            entries = self.entries()
            assert len(entries) >= count, f"{len(entries)} entries; {self.failures()[-3:]}"
            return entries

        return until(f"{count} entries of {self.process.log}", enough, timeout)

    def wait_failure(self, timeout: float = 60) -> Failure:
        return until("an error", self.failures, timeout)[-1]

    def wait_end(self, timeout: float = 60) -> int:
        until("log_check ends", lambda: not self.process.running, timeout)
        code = self.process.exit_code
        assert code is not None
        return code
