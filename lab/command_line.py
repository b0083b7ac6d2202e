"""milvus-cdc as the client of a running server: the commands that people type."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from lab import places, planted


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"ended with {self.code}\n{self.out}{self.err}"


class CommandLine:
    """Commands for one server, as http(s)://host:port; no settings of this shell reach them."""

    def __init__(self, server: str, **environment: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MILVUS_CDC_")}
        self.environment = clean | {"MILVUS_CDC_SERVER": server} | environment

    def command(self, *arguments: str) -> list[str]:
        return [str(places.cdc_binary()), *arguments]

    def run(self, *arguments: str, given: str = "", timeout: float = 60) -> Finished:
        """Runs it to its end, with `given` as its standard input."""
        done = subprocess.run(
            self.command(*arguments),
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
        )
        planted.look(f"what '{' '.join(arguments)}' prints", done.stdout + done.stderr)
        return Finished(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, given: str = "", timeout: float = 60) -> str:
        """What it printed; it must have succeeded."""
        done = self.run(*arguments, given=given, timeout=timeout)
        assert done.code == 0, f"milvus-cdc {' '.join(arguments)} {done}"
        return done.out

    def json(self, *arguments: str, given: str = "") -> Any:
        return json.loads(self.ok(*arguments, "--json", given=given))
