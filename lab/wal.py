"""Sees the messages of a RocksMQ the moment they are written, by reading the RocksDB's own log.

Independent of milvus-cdc on purpose: the bench measures with it what milvus-cdc cannot beat.
Format: 32 KiB blocks; a record is crc32 (4 bytes), length (2), type (1), for recycled logs also a
log number (4); its content, put together from its parts, is a write batch: sequence (8), count
(4), then tagged entries.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 32 * 1024
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def puts(batch: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The key-value pairs of one write batch; stops at an entry of another kind."""
    at = 12
    while at < len(batch):
        tag = batch[at]
        at += 1
        if tag == 0x05:  # a value in a named column family
            _, at = _varint(batch, at)
        elif tag != 0x01:
            return
        size, at = _varint(batch, at)
        key, at = batch[at : at + size], at + size
        size, at = _varint(batch, at)
        value, at = batch[at : at + size], at + size
        yield key, value


class LogTail:
    """Reads the records of the newest log file from its present end on."""

    def __init__(self, rocksmq: Path) -> None:
        self._path = max(rocksmq.glob("*.log"), key=lambda path: path.name)
        self._file = self._path.open("rb")
        self._at = 0
        self._parts = b""

    def records(self) -> Iterator[bytes]:
        """The whole records written since the last call."""
        size = self._path.stat().st_size
        while True:
            left = _BLOCK - self._at % _BLOCK
            if left < 7:
                self._at += left
                continue
            self._file.seek(self._at)
            header = self._file.read(7)
            if len(header) < 7:
                return
            length, kind = int.from_bytes(header[4:6], "little"), header[6]
            extra = 4 if kind > _LAST else 0
            if kind == 0 or self._at + 7 + extra + length > size:
                return
            body = self._file.read(extra + length)[extra:]
            self._at += 7 + extra + length
            kind -= 4 if kind > _LAST else 0
            if kind in (_FULL, _FIRST):
                self._parts = b""
            self._parts += body
            if kind in (_FULL, _LAST):
                yield self._parts


def tail(rocksmq: Path, topic: str) -> Iterator[bytes | None]:
    """All messages of the topic from now on; None whenever there is none for a moment."""
    log = LogTail(rocksmq)
    prefix = topic.encode() + b"/"
    while True:
        for record in log.records():
            yield from (value for key, value in puts(record) if key.startswith(prefix))
        time.sleep(0.001)
        yield None
