"""Hybrid timestamps of Milvus: milliseconds << 18 and a counter."""

from __future__ import annotations

import time
from typing import Any


def now_ts(offset_ms: int = 0) -> int:
    """The time of this machine's clock."""
    return (int(time.time() * 1000) + offset_ms) << 18


def before_ms() -> int:
    """Unix milliseconds surely before the next write: a Milvus' clock may be some 50 ms behind."""
    return int(time.time() * 1000) - 200


def write_ts(result: Any) -> int:
    """A time that covers the write just answered: what the source stamped it with, if it says so.

    Milvus 2.3 answers a delete with timestamp 0.
    """
    return int(result.timestamp) or now_ts(1)
