"""Remembers when each time tick of a channel was there to be read in the source's log."""

from __future__ import annotations

import threading
import time

from pymilvus.grpc_gen import common_pb2

from lab import wal
from lab.milvus import Milvus

_TIME_TICK = 1200


class TickWatch(threading.Thread):
    """Watches one pchannel of a source without milvus-cdc, on any of the three logs."""

    def __init__(self, source: Milvus, pchannel: str) -> None:
        super().__init__(daemon=True)
        if source.broker is not None:
            self._messages = source.broker.tail(pchannel)
        else:
            self._messages = wal.tail(source.rocksmq, pchannel)
        self._stopped = threading.Event()
        self.ticks: list[tuple[int, float]] = []  # (tick, time.monotonic() when seen)

    def run(self) -> None:
        for payload in self._messages:
            if payload is not None:
                self._note(payload)
            if self._stopped.is_set():
                return

    def _note(self, payload: bytes) -> None:
        base = common_pb2.MsgHeader.FromString(payload).base
        if base.msg_type == _TIME_TICK:
            self.ticks.append((base.timestamp, time.monotonic()))

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def covering(self, timestamp: int) -> float | None:
        """When the first tick at or above `timestamp` was seen."""
        return next((seen for tick, seen in self.ticks if tick >= timestamp), None)
