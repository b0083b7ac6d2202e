"""One child process of the lab.

Each runs in a process group of its own, dies with us (`setpriv --pdeathsig`), writes its output to
a file, and is ended at exit and on Ctrl-C, so that no run leaves a server behind.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lab.waiting import until

_alive: list[Process] = []


class PortInUse(RuntimeError):
    """Somebody else listens on a port that a server of the lab needs."""


def require_free_ports(ports: list[int], who: str) -> None:
    """Milvus does not report a port in use: its health check then answers for another server."""
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise PortInUse(
                    f"{who} needs port {port} of 127.0.0.1, which is in use ({error.strerror}); "
                    "end the process that holds it or set MILVUS_CDC_LAB_PORT to another base"
                ) from error


class Process:
    """Starts, watches and ends one server. Not safe for use from several threads."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return None if self._child is None else self._child.poll()

    def start(self, command: list[str], env: dict[str, str] | None = None) -> None:
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        _alive.append(self)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, signal_number: int) -> None:
        """To the whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal_number)

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        self.end(timeout=0)

    def end(self, timeout: float = 20.0) -> float:
        """SIGTERM, then SIGKILL after `timeout`; returns the seconds that it took."""
        if self._child is None:
            return 0.0
        began = time.monotonic()
        if self._child.poll() is None:
            self.send(signal.SIGCONT)
            if timeout > 0:
                self.send(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(timeout)
            self.send(signal.SIGKILL)
            self._child.wait(30)
        if self in _alive:
            _alive.remove(self)
        return time.monotonic() - began

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Resident memory now (VmRSS) or at its highest (VmHWM)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"no {field} for {self.name}")

    def tail(self, lines: int = 40, offset: int = 0) -> str:
        """The end of its log, only what came after byte `offset`."""
        if not self.log.is_file():
            return "(no log)"
        with self.log.open("rb") as file:
            file.seek(offset)
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.is_file() else 0

    def wait_ready(self, what: str, probe: object, timeout: float) -> None:
        """Polls until `probe()` is true; fails at once, with the log, if the process ended."""
        assert callable(probe)

        def ready() -> bool:
            if not self.running:
                raise RuntimeError(
                    f"{self.name} ended with {self.exit_code} while starting; {self.log} says:\n"
                    + self.tail()
                )
            return bool(probe())

        until(f"{self.name}: {what} (log: {self.log})", ready, timeout, interval=0.05)


def end_all() -> None:
    """Ends everything that still runs, newest first; the last resort at exit."""
    for process in reversed(list(_alive)):
        with contextlib.suppress(Exception):
            process.kill()


def _on_signal(number: int, _frame: object) -> None:
    end_all()
    sys.exit(128 + number)


def end_all_on_signals() -> None:
    """For scripts: SIGTERM and SIGHUP end the servers as Ctrl-C does through atexit."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)


atexit.register(end_all)
