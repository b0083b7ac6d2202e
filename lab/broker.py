"""A message broker that a source Milvus writes its log to: what Kafka and Pulsar have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import places
from lab.process import require_free_ports
from lab.server import Server

# A JVM that starts fast and leaves the two cores to others. Acknowledged messages survive kill -9
# of the process, which the tests rely on; they need not survive the machine.
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]


class BrokerError(AssertionError):
    """The broker refused something. An AssertionError, so that waiting loops go on."""


class Broker(Server):
    """One real broker, the log of any number of Milvus servers, each with topics of its own.

    Its messages can be read here without milvus-cdc, so that tests have something to compare with.
    """

    kind: str  # kafka or pulsar: what milvus-cdc and Milvus call it

    _patience = 240.0  # a JVM, on two busy cores
    securities: tuple[str, ...]  # how clients may have to show who they are

    def __init__(self, data: Path, port: int, security: str) -> None:
        super().__init__(self.kind, data, port, self.kind)
        if security not in self.securities:
            raise ValueError(f"security is one of {self.securities}, not {security}")
        self.security = security
        self._started_from = 0  # bytes of its log were there before the present start

    # --- the process --------------------------------------------------------------------------

    def launch(self) -> None:
        if not places.jars(self.kind).is_dir():
            raise FileNotFoundError(f"no jars of {self.kind}: run ./x setup first")
        require_free_ports(self._ports(), self.kind)
        self.data.mkdir(parents=True, exist_ok=True)
        command = self._command()
        self._started_from = self.process.log_size()
        self.process.start(command)

    def _write(self, name: str, lines: list[str]) -> Path:
        path = self.data / name
        path.write_text("\n".join(lines) + "\n")
        return path

    @abstractmethod
    def _ports(self) -> list[int]: ...

    @abstractmethod
    def _command(self) -> list[str]:
        """Writes its configuration and says how to run it."""

    # --- who uses it --------------------------------------------------------------------------

    @property
    @abstractmethod
    def gate_ports(self) -> tuple[int, int]:
        """Where a gate between milvus-cdc and the broker listens, and where it forwards to.

        Whoever connects there is told by the broker to come back there, never past the gate.
        """

    @abstractmethod
    def milvus_environment(self) -> dict[str, str]:
        """What makes a Milvus use it; always by a listener that is not secured."""

    @abstractmethod
    def source_config(self, *, gated: bool = False) -> str:
        """The lines of cdc.yaml below `sourceConfig`, with the credentials where it wants some."""

    # --- its topics, read and changed without milvus-cdc --------------------------------------

    @abstractmethod
    def topics(self, prefix: str) -> list[str]:
        """The topics whose names begin so, in order."""

    @abstractmethod
    def payloads(self, topic: str) -> Iterator[bytes]:
        """All messages from the oldest one held to the present end."""

    @abstractmethod
    def tail(self, topic: str) -> Iterator[bytes | None]:
        """All messages from now on; None whenever there is none for a moment. Never ends."""

    @abstractmethod
    def repeat(self, topic: str, is_wanted: Callable[[bytes], bool]) -> None:
        """Writes the newest wanted message again, as a producer does that got no answer to it."""

    def truncate(self, topic: str) -> None:
        """Removes every message that was there before the call."""
        self.cut(topic)()

    @abstractmethod
    def cut(self, topic: str) -> Callable[[], object]:
        """Draws a line behind what is there now. What it returns removes all before the line."""
