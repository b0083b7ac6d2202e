"""A real etcd-server, and the few key operations that tests need, through its JSON gateway."""

from __future__ import annotations

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from lab.process import require_free_ports
from lab.server import Server


def _b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def _all_below(prefix: str) -> dict[str, str]:
    """The range of all keys that begin with it."""
    end = bytearray(prefix.encode())
    end[-1] += 1
    return {"key": _b64(prefix), "range_end": _b64(bytes(end))}


class Etcd(Server):
    """One member without fsync; several Milvus share it, each under a root path of its own."""

    _patience = 20.0
    _grace = 5.0

    def __init__(self, data: Path, port: int) -> None:
        super().__init__("etcd", data, port, "etcd")
        self.peer_port = port + 1
        self._root_password = ""

    def launch(self) -> None:
        require_free_ports([self.port, self.peer_port], "etcd")
        client, peer = f"http://{self.address}", f"http://127.0.0.1:{self.peer_port}"
        self.process.start(
            [
                "etcd",
                f"--data-dir={self.data / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
            ]
        )

    def _ready(self) -> bool:
        with urllib.request.urlopen(f"http://{self.address}/health", timeout=2) as answer:
            return bool(json.load(answer).get("health") == "true")

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://{self.address}/v3/{method}", json.dumps(body).encode()
        )
        if self._root_password and method != "auth/authenticate":
            who = {"name": "root", "password": self._root_password}
            request.add_header("Authorization", self._call("auth/authenticate", who)["token"])
        with urllib.request.urlopen(request, timeout=10) as answer:
            result: dict[str, Any] = json.load(answer)
        return result

    def put(self, key: str, value: str) -> None:
        self._call("kv/put", {"key": _b64(key), "value": _b64(value)})

    def put_all(self, items: dict[str, bytes]) -> None:
        """In transactions of as many keys as an etcd allows by default."""
        puts = [
            {"requestPut": {"key": _b64(key), "value": _b64(value)}} for key, value in items.items()
        ]
        for start in range(0, len(puts), 128):
            self._call("kv/txn", {"success": puts[start : start + 128]})

    def _below(self, prefix: str) -> list[dict[str, Any]]:
        """The keys below it as etcd describes them."""
        kvs: list[dict[str, Any]] = self._call("kv/range", _all_below(prefix)).get("kvs", [])
        return kvs

    def items(self, prefix: str) -> dict[str, bytes]:
        return {
            base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", ""))
            for kv in self._below(prefix)
        }

    def delete_prefix(self, prefix: str) -> int:
        return int(self._call("kv/deleterange", _all_below(prefix)).get("deleted", 0))

    def end_leases(self, prefix: str) -> None:
        """Revokes the leases of the keys under it, as if they had expired."""
        for lease in {kv["lease"] for kv in self._below(prefix) if "lease" in kv}:
            self._call("lease/revoke", {"ID": lease})

    def compact(self) -> None:
        """Forgets all history up to the present revision."""
        revision = self._call("kv/range", {"key": _b64("x")})["header"]["revision"]
        self._call("kv/compaction", {"revision": revision, "physical": True})

    def require_users(self, name: str, password: str, prefix: str) -> None:
        """From now on everybody has to sign in: the user `name` may read and write the keys below
        `prefix` and no others; the methods here go on as root."""
        for user, role in (("root", "root"), (name, name)):
            self._call("auth/user/add", {"name": user, "password": password})
            self._call("auth/role/add", {"name": role})
            self._call("auth/user/grant", {"user": user, "role": role})
        permission = {"permType": "READWRITE", **_all_below(prefix)}
        self._call("auth/role/grant", {"name": name, "perm": permission})
        self._call("auth/enable", {})
        self._root_password = password
