"""What every server of the lab can do: start, stop, crash, come back, hang."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from lab.process import Process


class Server(ABC):
    """One process that listens on ports of 127.0.0.1 and keeps its files in `data`."""

    _patience = 90.0  # seconds to come up, on two busy cores
    _grace = 30.0  # seconds to end by itself

    def __init__(self, name: str, data: Path, port: int, log: str) -> None:
        self.data = data
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.process = Process(name, data / f"{log}.log")

    @abstractmethod
    def launch(self) -> None:
        """Starts it and waits for nothing, so that others can come up beside it."""

    @abstractmethod
    def _ready(self) -> bool: ...

    def wait(self) -> Self:
        self.process.wait_ready("it serves", self._ready, self._patience)
        return self

    def start(self) -> Self:
        self.launch()
        return self.wait()

    def stop(self) -> None:
        self.process.end(self._grace)

    def kill(self) -> None:
        self.process.kill()

    def restart(self, *, hard: bool = False) -> None:
        if hard:
            self.kill()
        else:
            self.stop()
        self.start()

    def freeze(self) -> None:
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()
