"""A TCP gate in front of a server: what a network can do to a connection, on command.

Bytes pass through in order. While a fault is set, every connection suffers it:

- delay: each piece arrives so much later, in full even when its sender died meanwhile
- stall: nothing moves, nothing is lost
- cut: connections are reset and new ones refused
- half_close: the server's answers end, what goes to the server still passes
- truncate: each connection dies after so many more bytes towards the server
"""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    kind: str = "none"
    seconds: float = 0.0  # of delay
    after_bytes: int = 0  # of truncate


NONE = Fault()
_CHUNK = 64 * 1024


class Gate:
    """Listens on `port`, forwards to `upstream_port`, both on loopback. Threads of its own."""

    def __init__(self, port: int, upstream_port: int) -> None:
        self.port = port
        self._upstream_port = upstream_port
        self._fault = NONE
        self._changed = threading.Condition()
        self._pairs: set[_Pair] = set()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64, reuse_port=False)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    def set(self, fault: Fault) -> None:
        """From now on; `NONE` heals. Connections that a fault has ended stay ended."""
        with self._changed:
            self._fault = fault
            pairs = list(self._pairs)
            self._changed.notify_all()
        for pair in pairs:
            if fault.kind == "cut":
                pair.reset()
            elif fault.kind == "half_close":
                pair.end_answers()
            elif fault.kind == "truncate":
                pair.left = fault.after_bytes

    def wait_while_stalled(self) -> None:
        with self._changed:
            while self._fault.kind == "stall" and not self._closed:
                self._changed.wait(1)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # the accepting thread would keep the port
        self._listener.close()
        for pair in list(self._pairs):
            pair.reset()

    def forget(self, pair: _Pair) -> None:
        with self._changed:
            self._pairs.discard(pair)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._fault.kind == "cut":
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream_port), timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            pair = _Pair(self, client, server)
            with self._changed:
                self._pairs.add(pair)
            pair.start()


def _reset(sock: socket.socket) -> None:
    """Ends it with RST, as a dying host's peer sees it."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class _Pair:
    """One connection through the gate: two directions, each a reader and a writer thread."""

    def __init__(self, gate: Gate, client: socket.socket, server: socket.socket) -> None:
        self._gate = gate
        self._client = client
        self._server = server
        self._directions_left = 2
        self._lock = threading.Lock()
        self.left = gate.fault.after_bytes if gate.fault.kind == "truncate" else -1

    def start(self) -> None:
        for source, sink in ((self._client, self._server), (self._server, self._client)):
            pieces: queue.Queue[tuple[float, bytes]] = queue.Queue(256)
            for work in (self._read, self._write):
                threading.Thread(target=work, args=(source, sink, pieces), daemon=True).start()

    def reset(self) -> None:
        _reset(self._client)
        _reset(self._server)
        self._gate.forget(self)

    def end_answers(self) -> None:
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)

    def _read(
        self, source: socket.socket, sink: socket.socket, pieces: queue.Queue[tuple[float, bytes]]
    ) -> None:
        while True:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            fault = self._gate.fault
            due = time.monotonic() + (fault.seconds if fault.kind == "delay" else 0.0)
            pieces.put((due, data))
            if not data:
                return

    def _write(
        self, source: socket.socket, sink: socket.socket, pieces: queue.Queue[tuple[float, bytes]]
    ) -> None:
        while True:
            due, data = pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            self._gate.wait_while_stalled()
            if not data:
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)
                break
            if sink is self._server and self.left >= 0:
                data = data[: self.left]
                self.left -= len(data)
            with contextlib.suppress(OSError):
                sink.sendall(data)
            if sink is self._server and self.left == 0:
                self.reset()
                return
        with self._lock:
            self._directions_left -= 1
            if self._directions_left:
                return
        for sock in (self._client, self._server):
            sock.close()
        self._gate.forget(self)
