"""The control plane: a task of many collections, lists of many tasks, idle connections beside.

Ends with 1 when something takes longer than its bar.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from lab.cdc_server import CdcServer, Task
from lab.process import end_all_on_signals
from lab.quantiles import quantile
from lab.stack import BASE_PORT, Stack
from lab.synthetic import amplified
from lab.waiting import until

TASKS = "/api/v1/tasks"
MOST_SECONDS = 1.0  # for one thing done to a task of 500 collections
MOST_MS = 50.0  # for a list of 100 tasks
WARM_UP = 10  # requests that are not counted
LIST = json.dumps({"request_type": "list", "request_data": {}}).encode()


class Kept:
    """One connection that is used again and again, as a dashboard does."""

    def __init__(self, server: CdcServer) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status}: {content.decode()}")
        return content

    def close(self) -> None:
        self._connection.close()


_missed: list[str] = []  # what took longer than its bar


def row(what: str, figures: str, good: bool, bar: str) -> None:
    print(f"| {what} | {figures} | {bar} | {'yes' if good else 'NO'} |", flush=True)
    if not good:
        _missed.append(what)


# --- one task of many collections ---------------------------------------------------------------


def timed(what: str, act: Callable[[], bytes]) -> bytes:
    began = time.monotonic()
    result = act()
    took = time.monotonic() - began
    row(what, f"{took:.3f} s", took < MOST_SECONDS, f"{MOST_SECONDS:g} s")
    return result


def large_task(server: CdcServer, collections: int) -> None:
    client = Kept(server)
    body = {
        "task_id": "large",
        "blackhole_connect_param": {},
        "db_collections": {"*": [{"name": "*"}]},
    }
    created = json.dumps(body).encode()
    timed(f"create, {collections} collections", lambda: client.ask("POST", TASKS, created))
    task = Task(server, "large")
    until(
        f"{collections} collections",
        lambda: len(task.progress()["collections"]) >= collections,
        60,
    )
    timed("list (GET)", lambda: client.ask("GET", TASKS))
    timed("list (POST /cdc)", lambda: client.ask("POST", "/cdc", LIST))
    shown = json.loads(timed("show", lambda: client.ask("GET", f"{TASKS}/large")))
    if len(shown["collections"]) < collections:
        raise RuntimeError(f"only {len(shown['collections'])} collections are shown")
    timed("pause", lambda: client.ask("POST", f"{TASKS}/large/pause"))
    timed("resume", lambda: client.ask("POST", f"{TASKS}/large/resume"))
    client.close()
    task.delete()


# --- lists of many tasks ------------------------------------------------------------------------


def milliseconds(
    client: Kept, requests: int, method: str, path: str, body: bytes | None
) -> list[float]:
    """Of each request after the first ones."""
    taken = []
    for number in range(WARM_UP + requests):
        began = time.monotonic()
        client.ask(method, path, body)
        if number >= WARM_UP:
            taken.append((time.monotonic() - began) * 1000)
    return taken


@contextlib.contextmanager
def idle_connections(server: CdcServer, count: int) -> Iterator[None]:
    """Each has been used once, so that the server keeps it, and then says nothing."""
    idle = [Kept(server) for _ in range(count)]
    try:
        for one in idle:
            one.ask("GET", "/healthz")
        yield
    finally:
        for one in idle:
            one.close()


def lists(server: CdcServer, tasks: int, requests: int, beside: str) -> dict[str, float]:
    """Prints a line for each kind of request and returns their medians."""
    client = Kept(server)
    medians = {}
    for what, method, path, body in (
        (f"GET {TASKS}", "GET", f"{TASKS}?limit=1000", None),
        ("POST /cdc list", "POST", "/cdc", LIST),
        ("GET /healthz", "GET", "/healthz", None),
    ):
        taken = milliseconds(client, requests, method, path, body)
        medians[what] = statistics.median(taken)
        slow = quantile(taken, 0.99)
        figures = f"median {medians[what]:.2f} ms, p99 {slow:.2f} ms"
        row(f"{what}, {tasks} tasks{beside}", figures, slow < MOST_MS, f"{MOST_MS:g} ms")
    client.close()
    return medians


def many_tasks(server: CdcServer, tasks: int, requests: int, idle: int) -> None:
    for number in range(tasks):
        server.create(
            blackhole_connect_param={},
            db_collections={"default": [{"name": f"copy_{number}"}]},
        )
    if len(server.tasks()) != tasks:
        raise RuntimeError(f"{len(server.tasks())} tasks are listed")
    alone = lists(server, tasks, requests, "")
    with idle_connections(server, idle):
        beside = lists(server, tasks, requests, f", {idle} idle connections")
    for what, median in alone.items():
        print(f"{what}: {beside[what] / median:.2f} times as long beside {idle} idle connections")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench control", description=__doc__)
    parser.add_argument("--collections", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--idle", type=int, default=64)
    options = parser.parse_args()
    end_all_on_signals()
    stack = Stack(BASE_PORT + 700)
    try:
        stack.start(modes=())
        server = amplified(stack, "control", max(options.collections, options.tasks))
        text = server.configuration(root_path="control")
        server.start(text.replace("maxTaskNum: 100", f"maxTaskNum: {options.tasks + 1}"))
        print("| what | measured | bar | within |\n|---|---|---|---|")
        large_task(server, options.collections)
        many_tasks(server, options.tasks, options.requests, options.idle)
        server.terminate()
    finally:
        stack.stop()
    if _missed:
        sys.exit("slower than its bar: " + "; ".join(_missed))


if __name__ == "__main__":
    main()
