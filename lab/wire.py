"""Protobuf wire bytes by hand, for messages that no client of ours writes."""

from __future__ import annotations


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    """A field that has a length: bytes, text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content
