"""milvus-lite 3.x as a server: another major version that knows plain calls only."""

from __future__ import annotations

import socket
from pathlib import Path

from lab import places
from lab.process import require_free_ports
from lab.server import Server


class MilvusLite(Server):
    """Runs from an environment of its own, because it wants another pymilvus than the tests."""

    _patience = 60.0
    _grace = 10.0

    def __init__(self, data: Path, port: int) -> None:
        super().__init__("milvus-lite", data, port, "milvus-lite")
        self.uri = f"http://{self.address}"

    def launch(self) -> None:
        require_free_ports([self.port], "milvus-lite")
        (self.data / "data").mkdir(parents=True, exist_ok=True)
        binary = str(places.venv("lite") / "bin" / "milvus-lite")
        arguments = ["--data-dir", str(self.data / "data"), "--host", "127.0.0.1"]
        self.process.start([binary, "server", *arguments, "--port", str(self.port)])

    def _ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
