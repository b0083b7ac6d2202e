"""The servers of one session: an etcd, a source Milvus, three kinds of target, one milvus-cdc.

The source writes its log to RocksMQ, which is a part of it, or to a Kafka or Pulsar of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.broker import Broker
from lab.cdc_server import CdcServer, Task
from lab.client import Client
from lab.comparer import API, LITE, REPLICATE, Place, Traits
from lab.etcd import Etcd
from lab.milvus import PORTS_PER_MILVUS, SESSION_TTL, Milvus
from lab.milvus_lite import MilvusLite

BASE_PORT = int(os.environ.get("MILVUS_CDC_LAB_PORT", "21000"))
LOGS = ("rocksmq", "kafka", "pulsar")
_BROKER = 4  # its ports follow those of etcd and milvus-cdc


@dataclass
class Target:
    """A target server and what can be expected of it."""

    mode: str  # replicate, api or lite: the name that tests are parametrised with
    server: Milvus | MilvusLite
    client: Client
    traits: Traits

    def connect_param(self, mode: str | None = None) -> dict[str, Any]:
        wanted = mode or ("replicate" if self.mode == "replicate" else "api")
        return {"uri": self.server.uri, "mode": wanted, "connect_timeout": 10}

    def place(self, task: Task, db: str, name: str) -> Place:
        """The collection there, read at the task's present safe time (a standby) or Strong."""
        at = task.target_ts if self.mode == "replicate" else None
        return Place(self.client, db, name, at)


def make_broker(log: str, data: Path, port: int, security: str = "none") -> Broker | None:
    """None for RocksMQ. It takes six ports. Imports late: the demo has no clients of brokers."""
    if log == "rocksmq":
        return None
    if log == "kafka":
        from lab.kafka import Kafka

        return Kafka(data, port, security)
    from lab.pulsar import Pulsar

    return Pulsar(data, port, security)


class Stack:
    """Owns the servers and their temporary data folder. One port block per server."""

    def __init__(
        self,
        base_port: int = BASE_PORT,
        data: Path | None = None,
        session_ttl: int = SESSION_TTL,
        log: str = "rocksmq",
        security: str = "none",
        dml_channels: int = 4,
    ) -> None:
        """The source's `log` is rocksmq, kafka or pulsar; `security` is of the broker's kind. Each
        Milvus writes to `dml_channels` channels.

        A Milvus that is frozen for longer than `session_ttl` seconds ends itself.
        """
        self.data = data or Path(tempfile.mkdtemp(prefix="milvus-cdc-lab-"))
        self.base_port = base_port
        self._ttl = session_ttl
        self._dml_channels = dml_channels
        self.etcd = Etcd(self.data / "etcd", base_port)
        self.broker = make_broker(log, self.data / log, base_port + _BROKER, security)
        self.source = self.milvus("src", 1, session_ttl=session_ttl, broker=self.broker)
        self.source_client = Client(self.source.uri, "source")
        self.cdc = CdcServer(self.data / "cdc", self.source, base_port + 2)
        self.targets: dict[str, Target] = {}

    def milvus(self, name: str, block: int, **options: Any) -> Milvus:
        """Another Milvus on the shared etcd, in the `block`-th block of ports (0 is taken)."""
        port = self.base_port + PORTS_PER_MILVUS * block
        options = {"dml_channels": self._dml_channels} | options
        return Milvus(name, self.data / name, self.etcd, port, **options)

    def start(self, modes: tuple[str, ...] = ("replicate", "api", "lite")) -> Stack:
        """Starts etcd, the source and these targets side by side; not milvus-cdc."""
        if self.broker is not None:
            self.broker.launch()
        self.etcd.start()
        for mode in modes:
            self._launch_target(mode)
        if self.broker is not None:
            self.broker.wait()
        self.source.start()
        for target in self.targets.values():
            target.server.wait()
        return self

    def target(self, mode: str) -> Target:
        """The target of this kind; started now if it was not yet."""
        if mode not in self.targets:
            self._launch_target(mode)
            self.targets[mode].server.wait()
        return self.targets[mode]

    def _launch_target(self, mode: str) -> None:
        server: Milvus | MilvusLite
        if mode == "replicate":
            server, traits = (
                self.milvus("standby", 2, standby=True, session_ttl=self._ttl),
                REPLICATE,
            )
        elif mode == "api":
            server, traits = self.milvus("plain", 3, session_ttl=self._ttl), API
        else:
            port = self.base_port + PORTS_PER_MILVUS * 4
            server, traits = MilvusLite(self.data / "lite", port), LITE
        server.launch()
        self.targets[mode] = Target(mode, server, Client(server.uri, mode), traits)

    def stop(self, keep_data: bool = False) -> None:
        """Ends everything; the data folder with the logs goes unless it is to be kept."""
        self.cdc.process.end(5)
        for client in (self.source_client, *(t.client for t in self.targets.values())):
            client.close()
        for target in self.targets.values():
            target.server.kill()
        self.source.kill()
        if self.broker is not None:
            self.broker.kill()
        self.etcd.kill()
        if not keep_data and not os.environ.get("MILVUS_CDC_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)
