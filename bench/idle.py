"""Collections that nobody writes to: processor time, memory and start, with few and with many."""

from __future__ import annotations

import argparse
import time

from lab.cdc_server import CdcServer, Task
from lab.client import Client
from lab.replicated import both_modes
from lab.seeder import Seeded
from lab.stack import Stack
from lab.synthetic import amplified
from lab.timestamps import now_ts
from lab.waiting import until


def watch(server: CdcServer, what: str, seconds: int, calls: bool = False) -> None:
    def made() -> float:
        name = "milvus_cdc_api_execute_total"
        return sum(
            float(line.split()[-1])
            for line in server.metrics().splitlines()
            if line.startswith(name)
        )

    spent, before = server.process.cpu_seconds, made()
    began = time.monotonic()
    time.sleep(seconds)  # the thing that is measured
    took = time.monotonic() - began
    share = (server.process.cpu_seconds - spent) / took
    rate = f", {(made() - before) / took:.1f} calls/s" if calls else ""
    print(f"{what}: {share:.2%} of a core, {server.process.memory_mb():.0f} MB{rate}", flush=True)


def wait_for(task: Task, collections: int, ts: int = 0) -> None:
    """Until it has them and everything up to `ts`, or up to now."""
    until(
        f"{collections} collections",
        lambda: len(task.progress()["collections"]) >= collections,
        600,
        interval=0.5,
    )
    task.wait_safe(ts or now_ts(), 120)


def few(stack: Stack, count: int, seconds: int) -> None:
    source: Client = stack.source_client
    for number in range(count):
        Seeded.create(source, f"idle_{number}", shards=1)
    for mode in ("api", "replicate"):
        task = stack.cdc.create(
            milvus_connect_param=stack.targets[mode].connect_param(),
            db_collections={"default": [{"name": "idle_*"}]},
        )
        wait_for(task, count)
        stack.cdc.restart()  # what creating them took is not what idling takes
        wait_for(task, count)
        watch(stack.cdc, f"{count} collections, {mode}", seconds, calls=True)
        task.delete()


def restart(server: CdcServer, what: str, all_tasks: list[Task], collections: int) -> None:
    server.terminate()
    began = time.monotonic()
    server.start()
    ts = now_ts()
    for task in all_tasks:
        wait_for(task, collections, ts)
    print(f"{what}: up to date {time.monotonic() - began:.1f} s after the start")


def many(stack: Stack, count: int, seconds: int) -> None:
    server = amplified(stack, "many", count)
    server.start(server.configuration(root_path="many"))
    task = server.create(blackhole_connect_param={}, db_collections={"*": [{"name": "*"}]})
    wait_for(task, count)
    what = f"{count} synthetic collections of 4 shards"
    restart(server, what, [task], count)
    watch(server, what, seconds)
    server.terminate()


def tasks(stack: Stack, count: int, seconds: int) -> None:
    """As many tasks on one source, each with its own collection on four channels."""
    server = amplified(stack, "tasks", count)
    text = server.configuration(root_path="tasks")
    server.start(text.replace("maxTaskNum: 100", f"maxTaskNum: {count}"))
    began = time.monotonic()
    all_tasks = [
        server.create(
            blackhole_connect_param={}, db_collections={"default": [{"name": f"copy_{number}"}]}
        )
        for number in range(count)
    ]
    wait_for(all_tasks[-1], 1)
    print(f"{count} tasks: created in {time.monotonic() - began:.1f} s")
    restart(server, f"{count} tasks", all_tasks, 1)
    watch(server, f"{count} tasks", seconds)
    server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench idle", description=__doc__)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with both_modes(dml_channels=16) as stack:  # as many as a Milvus has by default
        if options.few:
            few(stack, options.few, options.seconds)
        if options.many:
            many(stack, options.many, options.seconds)
        if options.tasks:
            tasks(stack, options.tasks, options.seconds)


if __name__ == "__main__":
    main()
