"""Where things live: the checkout, the download cache, the Python environments, the pins."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "milvus-cdc"
WHEELS = CACHE / "wheels"


def pins() -> dict[str, Any]:
    """The content of lab/versions.toml."""
    with (ROOT / "lab" / "versions.toml").open("rb") as file:
        return tomllib.load(file)


def venv(name: str) -> Path:
    """The folder of an environment: `milvus` (pymilvus 2.3, pytest), `lite`, `schemathesis`."""
    return CACHE / f"venv-{name}"


def milvus_home() -> Path:
    """The folder with `bin/milvus` and the configuration template of the pinned Milvus."""
    return CACHE / f"milvus-{pins()['milvus']['version']}"


def jars(broker: str) -> Path:
    """The folder with the jars of `kafka` or `pulsar`, and of all that they need."""
    return CACHE / f"{broker}-{pins()[broker]['version']}" / "lib"


def libpulsar() -> Path:
    """Apache's own client library, which milvus-cdc loads to read a Pulsar."""
    return CACHE / f"libpulsar-{pins()['libpulsar']['version']}" / "libpulsar.so"


def promtool() -> Path:
    """Prometheus' own check of rules, expressions and metrics; of Debian's package."""
    return CACHE / "prometheus" / "usr" / "bin" / "promtool"


def cdc_binary() -> Path:
    """The server under test; MILVUS_CDC_BINARY names another build, e.g. a sanitizer's."""
    override = os.environ.get("MILVUS_CDC_BINARY")
    return Path(override) if override else ROOT / "build" / "release" / "milvus-cdc"
