"""What the benches begin with: servers of both modes, and one loaded collection in replication."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.cdc_server import Task
from lab.process import end_all_on_signals
from lab.seeder import Seeded
from lab.stack import BASE_PORT, Stack
from lab.waiting import until

MODES = ("replicate", "api")


@contextmanager
def both_modes(log: str = "rocksmq", dml_channels: int = 4) -> Iterator[Stack]:
    """A source, a target of each mode and milvus-cdc, all up; ended behind."""
    end_all_on_signals()
    stack = Stack(BASE_PORT + 700, log=log, dml_channels=dml_channels)
    try:
        stack.start(modes=MODES)
        stack.cdc.start()
        yield stack
    finally:
        stack.stop()


def replicated(
    stack: Stack, mode: str, name: str, shards: int, *, load: bool = True
) -> tuple[Task, Seeded]:
    """A task and its collection, of one row (key 0) that is on the target, readable if loaded."""
    target = stack.targets[mode]
    task = stack.cdc.create(
        milvus_connect_param=target.connect_param(),
        db_collections={"default": [{"name": f"{name}*"}]},
    )
    seeded = Seeded.create(stack.source_client, name, shards=shards, dim=128)
    if load:
        seeded.index_and_load()
    seeded.insert(keys=[0])
    task.wait_safe(seeded.last_ts)
    if load:
        until("loaded", lambda: target.client.load_state("default", name) == "Loaded")
    return task, seeded
