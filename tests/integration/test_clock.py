"""The clock of this machine's milvus-cdc is set while it works; the servers keep the right time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cdc_server import CdcServer
from lab.gate import NONE, Fault, Gate
from tests.integration.scenario import BOTH_MODES, Scenario

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.fixture
def clock(scenario: Scenario, etcd_gate: Gate, other_server: CdcServer, tmp_path: Path) -> Path:
    """A file that holds how far the clock of `scenario.cdc` is off; the server runs with it."""
    assert _LIBRARY is not None, "libfaketime is missing: run ./x setup"
    offset = tmp_path / "clock"
    offset.write_text("+0\n")
    other_server.environment = {
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    configuration = other_server.configuration(etcd_address=etcd_gate.address)
    scenario.cdc = other_server.start(configuration)
    return offset


# Kafka's library ends its waits by the kernel's clock, which is not the one that it is shown here.
@pytest.mark.logs("rocksmq")
@BOTH_MODES
@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_set(scenario: Scenario, clock: Path, etcd_gate: Gate, hours: int) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    clock.write_text(f"{hours:+}h\n")
    seeded.delete(keys[:10])
    seeded.insert(30)
    scenario.assert_equal(seeded)
    # The fences of its earlier life are an hour ahead of its clock, or behind.
    scenario.cdc.restart(hard=True)
    seeded.upsert(keys[10:20])
    scenario.assert_equal(seeded)
    if hours < 0:
        # gRPC ends its waits by the kernel's clock, too, which lags behind the one shown by this
        # hour here (a clock that is really set takes both along): it would wait for all of it
        # before it connects again, unless something else wakes it.
        etcd_gate.set(Fault("cut"))
        scenario.running.wait_health("warning")
        etcd_gate.set(NONE)
    later = scenario.seed("later")
    later.insert(5)
    scenario.assert_equal(seeded, later)
    scenario.assert_healthy()
