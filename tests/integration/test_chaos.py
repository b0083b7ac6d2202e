"""Five minutes of chaos; `./x chaos --minutes N` is the same for longer, and kills Milvus too."""

from __future__ import annotations

import random

import pytest

from lab.chaos import run_chaos


@pytest.mark.xdist_group("chaos")
def test_five_minutes(second_ports: int, log: str) -> None:
    seed = random.randrange(1_000_000)
    chaos = run_chaos(second_ports, ("replicate", "api"), False, 300, seed, log)
    print(chaos.report(seed))
    assert not chaos.differences, "\n".join(chaos.differences)
    assert chaos.kills > 10 and chaos.faults.counts.total() > 20
    assert all(side.rows > 1_000 and side.replayed > 0 for side in chaos.sides)
