"""A certificate authority of a test's own, and what it signs for a server and for a client."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files; the keys are PKCS#8 and not encrypted."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _signed(folder: Path, name: str) -> tuple[Path, Path]:
    key, request, made = f"{name}.key", f"{name}.csr", f"{name}.pem"
    new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", key]
    _openssl(folder, "req", *new_key, "-subj", f"/CN={name}", "-out", request)
    (folder / "names.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"]
    names = ["-extfile", "names.cnf"]
    _openssl(folder, "x509", "-req", "-in", request, *by, *names, "-out", made)
    return folder / made, folder / key


def make_certificates(folder: Path) -> Certificates:
    """Makes them with the `openssl` command; the server's are for 127.0.0.1."""
    folder.mkdir(parents=True, exist_ok=True)
    own = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-days", "30"]
    _openssl(folder, "req", *own, "-subj", "/CN=lab ca", "-out", "ca.pem")
    return Certificates(folder / "ca.pem", *_signed(folder, "server"), *_signed(folder, "client"))
