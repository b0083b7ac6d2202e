"""The store of milvus-cdc fails or is lost: a clear reason, nothing lost, and the way back."""

from __future__ import annotations

import os
from pathlib import Path

from lab.cdc_server import CdcServer, Task
from lab.seeder import Seeded
from lab.timestamps import before_ms
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, Scenario, on


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
def test_disk_full(scenario: Scenario, other_server: CdcServer) -> None:
    other_server.wrapper = _in_namespace(
        'mount -t tmpfs -o size=2m none "$0"', other_server.store.parent
    )
    other_server.start()
    task = _create(other_server, scenario)
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    disk = Path(f"/proc/{other_server.process.pid}/root{other_server.store.parent}")
    filling = _fill(disk)
    for _ in range(10):
        seeded.insert(20)
    seeded.delete(keys[:10])
    reason = task.wait_health("warning")
    assert "full" in reason and str(other_server.store.parent) in reason, reason
    filling.unlink()
    task.wait_health("ok")
    scenario.assert_equal(seeded)


@on("api")
def test_read_only_store(scenario: Scenario, other_server: CdcServer) -> None:
    """It says so and does not begin what it could not remember."""
    other_server.start()
    task = _create(other_server, scenario)
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    other_server.terminate()
    begin = other_server.process.log_size()
    read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    other_server.wrapper = _in_namespace(read_only, other_server.store.parent)
    other_server.launch()
    until("it has ended", lambda: not other_server.process.running, 20)
    said = other_server.process.tail(20, begin)
    assert other_server.process.exit_code != 0
    assert "Read-only file system" in said and "cdc.db" in said, said
    other_server.wrapper = []
    other_server.start()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    assert task.get()["state"] == "Running"


@BOTH_MODES
def test_lost_store(scenario: Scenario, other_server: CdcServer) -> None:
    """The task is created again and takes its own objects over; what nobody saw is fetched back."""
    other_server.start()
    _create(other_server, scenario)
    seeded = scenario.seed(shards=4)  # all channels of the source have a log before the loss
    seeded.collection.create_partition("p1")
    keys = seeded.insert(20)
    seeded.insert(20, partition="p1")
    scenario.assert_equal(seeded)
    other_server.kill()
    for file in other_server.store.parent.glob("cdc.db*"):
        file.unlink()
    before = before_ms()
    seeded.insert(20)
    seeded.delete(keys[:5])
    missed = Seeded.create(scenario.source, scenario.name("missed")).index_and_load()
    missed.insert(5)
    other_server.start()
    assert not other_server.tasks()
    # On a standby the time of creation tells them; elsewhere the operator has to say so.
    adopt = {} if scenario.target.mode == "replicate" else {"adopt": True}
    task = other_server.create(**scenario.request(**adopt))
    scenario.task = task
    seeded.insert(5)
    task.wait_safe(seeded.last_ts)
    task.pause()
    task.rewind(before)
    task.resume()
    seeded.insert(5)
    scenario.assert_equal(seeded, missed)
