"""milvus-lite 3.x as a server: another major version that knows plain calls only."""

from __future__ import annotations

import socket
from pathlib import Path

from lab import places
from lab.process import Process, require_free_ports


class MilvusLite:
    """Runs from an environment of its own, because it wants another pymilvus than the tests."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.uri = f"http://{self.address}"
        self.process = Process("milvus-lite", data / "milvus-lite.log")

    def start(self) -> MilvusLite:
        self.launch()
        return self.wait()

    def launch(self) -> None:
        """Starts it and waits for nothing."""
        require_free_ports([self.port], "milvus-lite")
        (self.data / "data").mkdir(parents=True, exist_ok=True)
        binary = str(places.venv("lite") / "bin" / "milvus-lite")
        arguments = ["--data-dir", str(self.data / "data"), "--host", "127.0.0.1"]
        self.process.start([binary, "server", *arguments, "--port", str(self.port)])

    def wait(self) -> MilvusLite:
        self.process.wait_ready("listening", self._listening, 60)
        return self

    def _listening(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True

    def stop(self) -> None:
        self.process.end(10)

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()
