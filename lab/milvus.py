"""The complete Go Milvus 2.3.5 as one process: a source, a plain target or a standby target."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

from lab import places
from lab.broker import Broker
from lab.etcd import Etcd
from lab.process import require_free_ports
from lab.server import Server

# Offsets from the base port, by the names of the packaged configuration template.
_PORTS = {
    "proxy_port": 0,
    "proxy_internal_port": 1,
    "root_coord_port": 2,
    "query_coord_port": 3,
    "query_node_port": 4,
    "index_coord_port": 5,
    "index_node_port": 6,
    "data_coord_port": 7,
    "data_node_port": 8,
}
_METRICS_OFFSET = 9
PORTS_PER_MILVUS = 10
# Seconds. One that is frozen for longer ends itself.
SESSION_TTL = 60


class Milvus(Server):
    """Uses a shared etcd under root path and channel prefix `name`, and local storage.

    Its log is a RocksMQ of its own, or the topics of a broker that begin with `name`.
    """

    def __init__(
        self,
        name: str,
        data: Path,
        etcd: Etcd,
        port: int,
        *,
        broker: Broker | None = None,
        standby: bool = False,
        dml_channels: int = 4,
        session_ttl: int = SESSION_TTL,
        extra_env: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"milvus-{name}", data, port, "milvus")
        self.name = name
        self.etcd = etcd
        self.broker = broker
        self.standby = standby
        self.dml_channels = dml_channels
        self.session_ttl = session_ttl
        self.extra_env = extra_env or {}
        self.uri = f"http://{self.address}"
        self.rocksmq = data / "data" / "rocksmq"

    @property
    def log_kind(self) -> str:
        """rocksmq, kafka or pulsar."""
        return self.broker.kind if self.broker else "rocksmq"

    @property
    def metrics_port(self) -> int:
        return self.port + _METRICS_OFFSET

    def _write_configuration(self) -> None:
        values = {key: str(self.port + offset) for key, offset in _PORTS.items()}
        values |= {
            "etcd_port": str(self.etcd.port),
            "etcd_data_dir": str(self.data / "data" / "etcd.unused"),
            "local_storage_dir": str(self.data / "data"),
            "rocksmq_data_dir": str(self.rocksmq),
            "system_log_path": "",
        }

        def fill(match: re.Match[str]) -> str:
            key, _, default = match.group(1).partition(":")
            return values.get(key.split("(")[0].strip(), default.strip())

        home = places.milvus_home()
        template = (home / "config.yaml.template").read_text()
        configs = self.data / "configs"
        configs.mkdir(parents=True, exist_ok=True)
        (configs / "milvus.yaml").write_text(re.sub(r"\{\{(.*?)\}\}", fill, template))
        (configs / "glog.conf").write_bytes((home / "glog.conf").read_bytes())

    def _environment(self) -> dict[str, str]:
        binaries = str(places.milvus_home() / "bin")
        library_path = os.environ.get("LD_LIBRARY_PATH")
        return {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self.metrics_port),
            "MILVUS_RUN_DIR": str(self.data / "run"),
            "MILVUSCONF": str(self.data / "configs"),
            "LD_LIBRARY_PATH": f"{binaries}:{library_path}" if library_path else binaries,
            "ETCD_USE_EMBED": "false",
            "ETCD_ENDPOINTS": self.etcd.address,
            "ETCD_ROOTPATH": self.name,
            "MSGCHANNEL_CHANNAMEPREFIX_CLUSTER": self.name,
            "ROOTCOORD_DMLCHANNELNUM": str(self.dml_channels),
            "COMMON_TTMSGENABLED": "false" if self.standby else "true",
            # Seconds. A Milvus that was frozen, or starved by a busy machine, for longer ends
            # itself.
            "COMMON_SESSION_TTL": str(self.session_ttl),
            "LOG_LEVEL": "warn",
            # Loads and releases are found done by polling; the defaults cost 2 s per test.
            "QUERYCOORD_CHECKINTERVAL": "100",
            "QUERYCOORD_DISTPULLINTERVAL": "100",
            "ROOTCOORD_MAXDATABASENUM": "1024",
            **(self.broker.milvus_environment() if self.broker else {}),
            **self.extra_env,
        }

    def launch(self) -> None:
        ports = [self.port + offset for offset in _PORTS.values()]
        require_free_ports([*ports, self.metrics_port], f"Milvus '{self.name}'")
        self._write_configuration()
        (self.data / "run").mkdir(exist_ok=True)
        binary = str(places.milvus_home() / "bin" / "milvus")
        self.process.start([binary, "run", "standalone"], self._environment())

    def stop(self) -> None:
        super().stop()
        self._end_session()

    def kill(self) -> None:
        super().kill()
        self._end_session()

    def _end_session(self) -> None:
        """Else the next start would wait until etcd finds the session of this one expired."""
        if self.etcd.process.running:
            self.etcd.end_leases(f"{self.name}/meta/session/")

    def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self.metrics_port}/healthz"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(b"OK" in answer.read())
