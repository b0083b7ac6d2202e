"""A real MariaDB server with one database and one user who has it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from lab.planted import STORE_PASSWORD
from lab.process import require_free_ports
from lab.server import Server

DATABASE = "milvuscdc"
USER = "cdc"


class MariaDb(Server):
    """Durable as by default: what was committed survives kill -9."""

    _patience = 60.0
    _grace = 20.0

    def __init__(self, data: Path, port: int) -> None:
        super().__init__("mariadb", data, port, "mariadb")
        self.files = data / "mysql"
        self.dsn = f"{USER}:{STORE_PASSWORD}@tcp({self.address})/{DATABASE}?charset=utf8"

    def launch(self) -> None:
        require_free_ports([self.port], "mariadb")
        if not (self.files / "mysql").is_dir():
            self._install()
        self.process.start(
            [
                "mariadbd",
                "--no-defaults",
                *self._as_root(),
                f"--datadir={self.files}",
                "--socket=s",  # in its folder: a whole path could be longer than sockets allow
                f"--pid-file={self.files / 'pid'}",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--innodb-buffer-pool-size=32M",
                "--performance-schema=OFF",
                f"--init-file={self._init_file()}",
            ]
        )

    @staticmethod
    def _as_root() -> list[str]:
        """It refuses to run as root unless told so."""
        return ["--user=root"] if os.geteuid() == 0 else []

    def _install(self) -> None:
        self.files.mkdir(parents=True, exist_ok=True)
        command = ["mariadb-install-db", "--no-defaults", *self._as_root()]
        command += [f"--datadir={self.files}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal"]
        self.process.log.parent.mkdir(parents=True, exist_ok=True)
        with self.process.log.open("ab") as output:
            subprocess.run(command, stdout=output, stderr=output, check=True, timeout=120)

    def _init_file(self) -> Path:
        """Run at every start; one statement a line. Anonymous users would come before ours."""
        path = self.data / "init.sql"
        path.write_text(
            "DELETE FROM mysql.global_priv WHERE User = '';\n"
            "FLUSH PRIVILEGES;\n"
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{STORE_PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'%';\n"
        )
        return path

    def _ready(self) -> bool:
        """It greets with its protocol's version; before that it refuses, or answers an error."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.settimeout(2)
            greeting = connection.recv(5)
        return len(greeting) == 5 and greeting[4] == 10

    def run(self, sql: str) -> list[list[str]]:
        """The rows of one statement."""
        command = ["mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1"]
        command += [f"--port={self.port}", f"--user={USER}", f"--password={STORE_PASSWORD}"]
        command += ["--batch", "--raw", "--skip-column-names", f"--execute={sql}", DATABASE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"mariadb: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]
