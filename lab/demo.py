"""The demo: two real Milvus servers, one replication, and the proof that both are equal.

Run it with `./x demo`; `./x demo api` replicates into an ordinary Milvus by plain calls instead of
into a standby. Ends with 0 only if everything is equal.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pymilvus import DataType, FieldSchema, db, utility

from lab.cdc_server import Task
from lab.client import Client
from lab.comparer import Place, compare_objects, compare_rows
from lab.process import end_all_on_signals
from lab.seeder import Seeded
from lab.stack import BASE_PORT, Stack, Target
from lab.waiting import until

_BOLD, _GREEN, _RED, _DIM, _END = "\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m"
LAG_ROWS = 30


def _paint(text: str, color: str) -> str:
    return f"{color}{text}{_END}" if sys.stdout.isatty() else text


def _step(number: int, text: str) -> None:
    print(_paint(f"\n{number}. {text}", _BOLD), flush=True)


def _note(text: str) -> None:
    print(f"   {text}", flush=True)


# --- the story --------------------------------------------------------------------------------


def _start_servers(stack: Stack, mode: str) -> Target:
    began = time.monotonic()
    stack.start(modes=(mode,))
    stack.cdc.start()
    target = stack.targets[mode]
    kind = "standby (common.ttMsgEnabled=false)" if mode == "replicate" else "an ordinary server"
    _note(
        f"source   Milvus 2.3.5  {stack.source.uri}   its log is read from {stack.source.rocksmq}"
    )
    _note(f"target   Milvus 2.3.5  {target.server.uri}   {kind}")
    _note(f"milvus-cdc             {stack.cdc.url}")
    _note(_paint(f"all up in {time.monotonic() - began:.1f} s; logs under {stack.data}", _DIM))
    return target


def _create_task(stack: Stack, target: Target) -> Task:
    request = {
        "milvus_connect_param": target.connect_param("auto"),
        "db_collections": {"*": [{"name": "*"}]},
    }
    body = json.dumps({"request_type": "create", "request_data": request})
    _note(_paint(f"curl -s {stack.cdc.url}/cdc -d '{body}'", _DIM))
    task = stack.cdc.create(**request)
    described = task.get()
    _note(f"task {task.task_id} is {described['state']}, mode {described['mode']}:")
    _note(f"{described['mode_reason']}")
    return task


def _fill_catalog(source: Client) -> Seeded:
    """A collection in `default`: partitions, JSON, dynamic fields, two shards, an alias."""
    products = Seeded.create(
        source,
        "products",
        fields=[
            FieldSchema("title", DataType.VARCHAR, max_length=512),
            FieldSchema("price", DataType.DOUBLE),
            FieldSchema("tags", DataType.ARRAY, element_type=DataType.INT64, max_capacity=16),
            FieldSchema("details", DataType.JSON),
        ],
        dynamic=True,
        dim=64,
    ).index_and_load()
    products.collection.create_partition("archive")
    keys = products.insert(1000)
    products.insert(300, partition="archive")
    products.delete(keys[:100])
    products.upsert(keys[100:250])
    utility.create_alias("products", "shop", using=source.alias())
    _note("products: 1,300 rows in two partitions, 100 deleted, 150 upserted, an alias 'shop'")
    return products


def _fill_tenants(source: Client) -> Seeded:
    """A collection in a database of its own: text keys, a partition key."""
    db.create_database("crm", using=source.alias())
    tenant = FieldSchema("tenant", DataType.VARCHAR, max_length=64, is_partition_key=True)
    people = Seeded.create(
        source, "people", db="crm", key="varchar", fields=[tenant], num_partitions=4, dim=32
    ).index_and_load()
    keys = [key for name in ("red", "green", "blue") for key in people.insert(200, tenant=name)]
    people.delete(keys[:50])
    _note("crm.people: 600 rows of three tenants by partition key, text keys, 50 deleted")
    return people


def _fill_bits(source: Client) -> Seeded:
    bits = Seeded.create(source, "fingerprints", vector="binary", dim=256, shards=1)
    bits.index_and_load()
    bits.upsert(bits.insert(500)[:50])
    _note("fingerprints: 500 binary vectors, 50 upserted")
    return bits


def _measure_lag(seeded: Seeded, target: Target) -> list[float]:
    """Seconds from the acknowledgement of an insert to its first answer on the target."""
    seconds = []
    for _ in range(LAG_ROWS):
        key = seeded.insert(1)[0]
        acknowledged = time.monotonic()
        expr = f'id in ["{key}"]' if isinstance(key, str) else f"id in [{key}]"
        until(
            f"row {key} is readable on the target",
            lambda e=expr: target.client.query(seeded.db, seeded.name, e, None, 1),  # type: ignore[misc]
            20,
            interval=0.002,
        )
        seconds.append(time.monotonic() - acknowledged)
    return seconds


# --- the table --------------------------------------------------------------------------------


@dataclass
class Line:
    name: str
    cells: list[str]
    differences: list[str]


def _compare(seeded: Seeded, task: Task, source: Client, target: Target) -> Line:
    task.wait_safe(seeded.last_ts)
    left = Place(source, seeded.db, seeded.name)

    def objects() -> list[str]:
        right = target.place(task, seeded.db, seeded.name)
        found = compare_objects(left, right, target.traits)
        assert not found, "\n".join(found)
        return ["equal"]

    differences: list[str] = []
    try:
        until("equal objects", objects, 30)
    except AssertionError as error:
        differences.append(str(error))
    right = target.place(task, seeded.db, seeded.name)
    differences += seeded.check_source()
    differences += compare_rows(left, right, seeded.keys(), target.traits)
    rows = [p.client.count(p.db, p.name, None, p.at) for p in (left, right)]
    parts = [len(p.client.partitions(p.db, p.name)) for p in (left, right)]
    states = [p.client.load_state(p.db, p.name) for p in (left, right)]
    keys = sum(len(k) for k in seeded.keys().values())
    cells = [
        f"{rows[0]:,} | {rows[1]:,}",
        f"{parts[0]} | {parts[1]}",
        f"{states[0]} | {states[1]}",
        f"{keys:,} keys, every field",
        "equal" if not differences else "DIFFERENT",
    ]
    return Line(f"{seeded.db}.{seeded.name}", cells, differences)


def _print_table(lines: list[Line]) -> None:
    header = ["collection", "rows src | dst", "partitions", "load state", "compared", "result"]
    table = [header, *([line.name, *line.cells] for line in lines)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for number, row in enumerate(table):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        color = _BOLD if number == 0 else _GREEN if row[-1] == "equal" else _RED
        print("   " + _paint(text, color))
        if number == 0:
            print("   " + "-" * len(text))


def _tell(stack: Stack, mode: str) -> bool:
    """Runs the demo; True if both sides are equal."""
    _step(1, "Start an etcd, two Milvus servers and milvus-cdc")
    target = _start_servers(stack, mode)
    source = stack.source_client
    _step(2, "Create one replication task for everything")
    task = _create_task(stack, target)
    _step(3, "Write into the source with pymilvus")
    all_seeded = [_fill_catalog(source), _fill_tenants(source), _fill_bits(source)]
    written = time.monotonic()
    _step(4, "Wait until all of it is readable on the target")
    task.wait_safe(max(seeded.last_ts for seeded in all_seeded))
    progress = task.progress()
    _note(
        f"safe time reached {time.monotonic() - written:.2f} s after the last write: "
        f"{progress['rows_inserted']:,} rows inserted, {progress['rows_deleted']:,} deleted"
    )
    lines = [_compare(seeded, task, source, target) for seeded in all_seeded]
    _step(5, f"Measure the lag of {LAG_ROWS} single rows: insert acknowledged -> readable there")
    lags = sorted(_measure_lag(all_seeded[2], target))
    _note(f"p50 {statistics.median(lags) * 1000:.0f} ms, max {lags[-1] * 1000:.0f} ms")
    _step(6, "Source against target")
    lines[2] = _compare(all_seeded[2], task, source, target)
    _print_table(lines)
    for line in lines:
        for text in line.differences:
            _note(_paint(f"{line.name}: {text}", _RED))
    return not any(line.differences for line in lines)


def main(arguments: list[str]) -> int:
    mode = arguments[0] if arguments else "replicate"
    if mode not in ("replicate", "api"):
        print("usage: ./x demo [replicate|api]", file=sys.stderr)
        return 2
    end_all_on_signals()
    stack = Stack(BASE_PORT + 500)
    equal = False
    try:
        equal = _tell(stack, mode)
    except Exception as error:
        print(_paint(f"\nthe demo failed: {error}", _RED), file=sys.stderr)
        print(stack.cdc.process.tail(20), file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped")
    finally:
        stack.stop(keep_data=not equal)
    if not equal:
        print(f"logs are kept in {Path(stack.data)}", file=sys.stderr)
        return 1
    print(_paint("\nBoth sides are equal.", _GREEN))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
