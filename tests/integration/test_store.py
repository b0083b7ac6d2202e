"""The store of milvus-cdc fails or is lost: a clear reason, nothing lost, and the way back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cdc_server import CdcServer, Task
from lab.seeder import Seeded
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, Scenario, on


@pytest.fixture
def second(scenario: Scenario, tmp_path: Path) -> Iterator[CdcServer]:
    """A milvus-cdc of this test's own, beside the one that all share; not started."""
    stack = scenario.stack
    server = CdcServer(tmp_path / "cdc", stack.source, stack.base_port + 3)
    server.store.parent.mkdir(parents=True)
    yield server
    server.process.end(5)


def _in_namespace(mount: str, folder: Path) -> list[str]:
    """Runs a command where `folder` is mounted otherwise; nobody else sees that."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--mount", "sh", "-c", f'{mount} && exec "$@"', str(folder)]


def _create(server: CdcServer, scenario: Scenario) -> Task:
    task = server.create(**scenario.request())
    scenario.task = task
    return task


def _fill(disk: Path) -> Path:
    """Takes the last byte of a file system; returns the file to remove."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filling


@BOTH_MODES
def test_disk_full(scenario: Scenario, second: CdcServer) -> None:
    second.wrapper = _in_namespace('mount -t tmpfs -o size=2m none "$0"', second.store.parent)
    second.start()
    task = _create(second, scenario)
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    disk = Path(f"/proc/{second.process.pid}/root{second.store.parent}")
    filling = _fill(disk)
    for _ in range(10):
        seeded.insert(20)
    seeded.delete(keys[:10])
    reason = task.wait_health("warning")
    assert "full" in reason and str(second.store.parent) in reason, reason
    filling.unlink()
    task.wait_health("ok")
    scenario.assert_equal(seeded)


@on("api")
def test_read_only_store(scenario: Scenario, second: CdcServer) -> None:
    """It says so and does not begin what it could not remember."""
    second.start()
    task = _create(second, scenario)
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    second.terminate()
    begin = second.process.log_size()
    read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    second.wrapper = _in_namespace(read_only, second.store.parent)
    second.launch()
    until("it has ended", lambda: not second.process.running, 20)
    said = second.process.tail(20, begin)
    assert second.process.exit_code != 0
    assert "Read-only file system" in said and "cdc.db" in said, said
    second.wrapper = []
    second.start()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    assert task.get()["state"] == "Running"


@BOTH_MODES
def test_lost_store(scenario: Scenario, second: CdcServer) -> None:
    """The task is created again and takes its own objects over; what nobody saw is fetched back."""
    second.start()
    _create(second, scenario)
    seeded = scenario.seed(shards=4)  # all channels of the source have a log before the loss
    seeded.collection.create_partition("p1")
    keys = seeded.insert(20)
    seeded.insert(20, partition="p1")
    scenario.assert_equal(seeded)
    second.kill()
    for file in second.store.parent.glob("cdc.db*"):
        file.unlink()
    before = int(time.time() * 1000) - 200
    seeded.insert(20)
    seeded.delete(keys[:5])
    missed = Seeded.create(scenario.source, scenario.name("missed")).index_and_load()
    missed.insert(5)
    second.start()
    assert not second.tasks()
    # On a standby the time of creation tells them; elsewhere the operator has to say so.
    adopt = {} if scenario.target.mode == "replicate" else {"adopt": True}
    task = second.create(**scenario.request(**adopt))
    scenario.task = task
    seeded.insert(5)
    task.wait_safe(seeded.last_ts)
    task.pause()
    task.rewind(before)
    task.resume()
    seeded.insert(5)
    scenario.assert_equal(seeded, missed)
