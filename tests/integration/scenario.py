"""One replication under test: its names, tasks and collections, and the check for equality."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from pymilvus import MilvusException, db, utility

from lab.cdc_server import CdcError, CdcServer, ServerDied, Task
from lab.client import Client, ServerError
from lab.comparer import Place, compare_objects, compare_rows
from lab.seeder import Seeded
from lab.stack import Stack, Target
from lab.waiting import until

QUOTA_MB = 128  # resident, of a server with one target: docs/operations/limits.md


def on(*modes: str) -> pytest.MarkDecorator:
    """Runs a test once per kind of target: replicate, api, lite.

    All tests of one kind share one set of servers, so one worker process runs them.
    """
    marked = [pytest.param(mode, marks=pytest.mark.xdist_group(mode)) for mode in modes]
    return pytest.mark.parametrize("target", marked, indirect=True)


EVERYWHERE = on("replicate", "api", "lite")
BOTH_MODES = on("replicate", "api")


class Scenario:
    """Every name starts with the scenario's prefix, so scenarios never meet on the servers."""

    def __init__(self, stack: Stack, target: Target, prefix: str) -> None:
        self.stack = stack
        self.target = target
        self.prefix = prefix
        self.cdc: CdcServer = stack.cdc
        self.source: Client = stack.source_client
        self.task: Task | None = None
        self._tasks: list[Task] = []
        self._databases: list[str] = []
        self._log_offset = stack.cdc.process.log_size()
        self._target_log_offset = target.server.process.log_size()

    # --- names, databases, tasks --------------------------------------------------------------

    def name(self, base: str = "a") -> str:
        return f"{self.prefix}_{base}"

    def database(self, base: str) -> str:
        """Creates a database on the source."""
        name = self.name(base)
        db.create_database(name, using=self.source.alias())
        self._databases.append(name)
        return name

    def selection(self) -> dict[str, list[dict[str, str]]]:
        """Everything of this scenario: its collections in `default`, its databases whole."""
        return {
            "default": [{"name": f"{self.prefix}_*"}],
            f"{self.prefix}_*": [{"name": "*"}],
        }

    def request(self, **changes: Any) -> dict[str, Any]:
        """The body of a create request for this scenario."""
        request: dict[str, Any] = {
            "milvus_connect_param": self.target.connect_param(),
            "db_collections": self.selection(),
        }
        return {k: v for k, v in (request | changes).items() if v is not None}

    def start_task(self, **changes: Any) -> Task:
        task = self.cdc.create(**self.request(**changes))
        self._tasks.append(task)
        self.task = task
        return task

    def take_over(self, task_id: str) -> Task:
        """A task that was created in another way than start_task."""
        self.task = Task(self.cdc, task_id)
        self._tasks.append(self.task)
        return self.task

    @property
    def running(self) -> Task:
        assert self.task is not None, "start_task first"
        return self.task

    # --- data ---------------------------------------------------------------------------------

    def seed(self, base: str = "a", *, load: bool = True, **options: Any) -> Seeded:
        """A new collection on the source, indexed and loaded unless told otherwise."""
        seeded = Seeded.create(self.source, self.name(base), **options)
        return seeded.index_and_load() if load else seeded

    def source_place(self, seeded: Seeded) -> Place:
        return Place(self.source, seeded.db, seeded.name)

    def target_place(self, seeded: Seeded, db: str | None = None, name: str | None = None) -> Place:
        return self.target.place(self.running, db or seeded.db, name or seeded.name)

    def source_place_of(self, db: str, name: str) -> Place:
        return Place(self.source, db, name)

    def target_place_of(self, db: str, name: str) -> Place:
        return self.target.place(self.running, db, name)

    # --- checks -------------------------------------------------------------------------------

    def wait_objects_equal(
        self,
        seeded: Seeded,
        *,
        db: str | None = None,
        name: str | None = None,
        skip: Sequence[str] = (),
        timeout: float = 30,
    ) -> None:
        """Polls until schema, partitions, indexes, aliases, properties and load state are equal."""

        def equal() -> bool:
            source, target = self.source_place(seeded), self.target_place(seeded, db, name)
            differences = compare_objects(source, target, self.target.traits, skip)
            assert not differences, "\n".join(differences)
            return True

        until(f"{seeded.name} is equal in its metadata", equal, timeout)

    def truncate_log(self, seeded: Seeded) -> None:
        """Deletes all that the source's log holds of its channels."""
        broker = self.stack.broker
        assert broker is not None
        for channel in seeded.channels:
            broker.truncate(channel)

    def assert_replicates(self) -> Seeded:
        """A task gets all kinds of changes over, and goes on after a kill -9."""
        self.start_task()
        seeded = self.seed()
        keys = seeded.insert(50)
        seeded.delete(keys[:10])
        seeded.upsert(keys[10:20])
        self.assert_equal(seeded)
        self.cdc.restart(hard=True)
        seeded.insert(10)
        self.assert_equal(seeded)
        return seeded

    def assert_equal(
        self,
        *all_seeded: Seeded,
        db: str | None = None,
        name: str | None = None,
        skip: Sequence[str] = (),
        timeout: float = 60,
    ) -> None:
        """Everything of these collections is equal, at a safe time; the proof of each test."""
        for seeded in all_seeded:
            self.running.wait_safe(seeded.last_ts, timeout)
            self.wait_objects_equal(seeded, db=db, name=name, skip=skip)
            differences = self._row_differences(seeded, db, name)
            assert not differences, "rows differ:\n" + "\n".join(differences)

    def _row_differences(self, seeded: Seeded, db: str | None, name: str | None) -> list[str]:
        """Compares once; only a server that cannot answer yet, after a restart, is asked again."""
        answers: list[list[str]] = []

        def compared() -> bool:
            place = self.target_place(seeded, db, name)
            source = self.source_place(seeded)
            own = seeded.check_source()  # keeps the comparison from being empty
            answers.append(own + compare_rows(source, place, seeded.keys(), self.target.traits))
            return True

        until(f"{seeded.name} can be read on both sides", compared, 30)
        return answers[-1]

    def wait_on_target(self, collection: str, db: str = "default", timeout: float = 20) -> None:
        until(
            f"{db}.{collection} exists on the target",
            lambda: self.target.client.exists(db, collection),
            timeout,
        )

    def wait_gone(self, collection: str, db: str = "default", timeout: float = 20) -> None:
        until(
            f"{db}.{collection} is gone from the target",
            lambda: not self.target.client.exists(db, collection),
            timeout,
        )

    def never_on_target(self, collection: str, after: Seeded, db: str = "default") -> None:
        """It is not there although a later change (of `after`) has arrived."""
        self.running.wait_safe(after.last_ts)
        self.wait_on_target(after.name, after.db)
        assert not self.target.client.exists(db, collection)

    def assert_healthy(self) -> None:
        task = self.running.get()
        assert (task["state"], task["health"]) == ("Running", "ok"), task

    # --- the end ------------------------------------------------------------------------------

    def log_since_start(self) -> str:
        return self.cdc.process.tail(60, self._log_offset)

    def what_the_servers_say(self) -> list[tuple[str, str]]:
        """Title and text of all that may tell why a test failed."""
        try:
            task = json.dumps(self.task.get() if self.task else None)
        except (CdcError, ServerDied, OSError, ValueError) as error:
            task = str(error)
        warnings = self.target.server.process.tail(30, self._target_log_offset)
        return [
            ("log of milvus-cdc", self.log_since_start()),
            ("the task", task),
            ("log of the target", "\n".join(line[:400] for line in warnings.splitlines())),
        ]

    def _drop_all(self, client: Client) -> None:
        with contextlib.suppress(MilvusException, ServerError):
            names = [n for n in client.databases() if n.startswith(f"{self.prefix}_")]
            for database in ["default", *names]:
                for name in client.collections(database):
                    if database != "default" or name.startswith(f"{self.prefix}_"):
                        self._drop(client, database, name)
            for database in names:
                db.drop_database(database, using=client.alias())

    def _drop(self, client: Client, database: str, name: str) -> None:
        using = client.alias(database)
        for alias in client.describe(database, name).aliases:
            utility.drop_alias(alias, using=using)
        utility.drop_collection(name, using=using)

    def clean_up(self, wait: bool) -> None:
        """Drops the source's objects, lets the drops arrive, deletes the tasks."""
        self._drop_all(self.source)
        with contextlib.suppress(AssertionError, Exception):
            if wait and self._tasks:
                until("the target is clean", self._target_clean, 5)
        for task in self._tasks:
            with contextlib.suppress(Exception):
                task.delete()
        self._drop_all(self.target.client)

    def _target_clean(self) -> bool:
        names = self.target.client.collections()
        return not any(name.startswith(f"{self.prefix}_") for name in names)
