"""What a chaos run does to the servers: faults of the network, and of the servers themselves.

Two threads, one for each kind, so that there is a fault every few seconds while a killed server
waits for its session to expire. They end only with the process: the kernel would end the servers
that they have started.

A Milvus may end by itself when its broker dies. It is started again, as whatever runs it in
production would do.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from lab.broker import Broker
from lab.gate import NONE, Fault, Gate
from lab.milvus import Milvus

NETWORK_EVERY = (2.0, 8.0)  # seconds between two faults
# A killed Milvus 2.3.5 needs half a minute on two busy cores to load its collections again.
SERVERS_EVERY = (20.0, 40.0)
_GATE_KINDS = ("delay", "stall", "cut", "half_close", "truncate")

_Act = tuple[str, Callable[[], None]]


class Faults:
    """Runs until `heal`; `counts` says what was done. `kill` false: servers are only frozen."""

    def __init__(
        self, gates: dict[str, Gate], servers: dict[str, Milvus | Broker], kill: bool, seed: int
    ) -> None:
        self.gates = gates
        self.servers = servers
        self.kill = kill
        self.counts: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._healed = [threading.Event(), threading.Event()]
        self._seed = seed

    def start(self) -> None:
        loops = ((NETWORK_EVERY, self._network), (SERVERS_EVERY, self._server))
        for number, (every, choose) in enumerate(loops):
            pick = random.Random(self._seed * 100 + number)
            work = partial(self._loop, pick, every, choose, self._healed[number])
            threading.Thread(target=work, daemon=True).start()

    def heal(self, timeout: float) -> bool:
        """No fault from now on; true when the last ones are over and every server is up."""
        self._stopping.set()
        ended = all(healed.wait(timeout) for healed in self._healed)
        for gate in self.gates.values():
            gate.set(NONE)
        return ended

    def _loop(
        self,
        pick: random.Random,
        every: tuple[float, float],
        choose: Callable[[random.Random], _Act],
        healed: threading.Event,
    ) -> None:
        while not self._stopping.wait(pick.uniform(*every)):
            name, act = choose(pick)
            self._note(name)
            act()
        healed.set()
        threading.Event().wait()

    def _note(self, what: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)
        self.counts[what] += 1

    def _network(self, pick: random.Random) -> _Act:
        name = pick.choice(list(self.gates))
        kind = pick.choice(_GATE_KINDS)
        # A piece must not outlive the settle time of a drain: docs/operations/limits.md.
        fault = Fault(kind, pick.uniform(0.1, 0.7), pick.randrange(1, 200_000))
        seconds = pick.uniform(1, 6)
        return f"{name}: {kind}", partial(self._gate_fault, self.gates[name], fault, seconds)

    def _gate_fault(self, gate: Gate, fault: Fault, seconds: float) -> None:
        gate.set(fault)
        self._stopping.wait(seconds)
        gate.set(NONE)

    def _server(self, pick: random.Random) -> _Act:
        name = pick.choice(list(self.servers))
        server = self.servers[name]
        if not self.kill or pick.random() < 0.5:
            return f"{name}: frozen", partial(self._freeze, server)
        return f"{name}: killed", partial(self._kill, server)

    def _freeze(self, server: Milvus | Broker) -> None:
        server.freeze()
        self._stopping.wait(3)
        server.thaw()
        self._revive()

    def _kill(self, server: Milvus | Broker) -> None:
        server.restart(hard=True)
        self._revive()

    def _revive(self) -> None:
        for name, server in self.servers.items():
            if isinstance(server, Milvus) and not server.process.running:
                self._note(f"{name}: ended by itself, started again")
                server.restart(hard=True)
