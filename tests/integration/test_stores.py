"""etcd and MariaDB as the place where tasks and progress live: the contract, and what becomes of a
replication when its store, or milvus-cdc, dies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymilvus import DataType, FieldSchema

from lab.cdc_server import CdcError, CdcServer, Task
from lab.etcd import Etcd
from lab.mariadb import MariaDb
from lab.places import cdc_binary
from lab.planted import PASSPHRASE, STORE_PASSWORD, TARGET_TOKEN, WRONG_PASSPHRASE
from lab.timestamps import now_ts
from lab.waiting import until
from tests.integration.scenario import QUOTA_MB, Scenario, on

pytestmark = pytest.mark.logs("rocksmq")  # the log of the source makes no difference

ROOT = "cdc-test"  # all root paths of the C++ suite lie below it
TASKS = f"{ROOT}-tasks"  # and those of replications here
USER = "cdc"


class Database(ABC):
    """A database that can be the store."""

    server: Etcd | MariaDb
    variable: tuple[str, str]  # what the environment of the C++ suite has to say of it

    @abstractmethod
    def meta_store(self, root_path: str) -> str:
        """The lines of cdc.yaml below `metaStoreConfig`."""

    @abstractmethod
    def content(self, root_path: str) -> dict[str, str]:
        """What is stored below it."""


class EtcdStore(Database):
    """With users, of whom ours has the rights that the documentation asks for."""

    def __init__(self, data: Path, port: int) -> None:
        self.server = Etcd(data, port)
        self._etcd = self.server
        self.variable = ("CDC_TEST_ETCD", f"{USER}:{STORE_PASSWORD}@{self.server.address}")
        self.server.start()
        self.server.require_users(USER, STORE_PASSWORD, ROOT)

    def meta_store(self, root_path: str) -> str:
        return f"""\
  storeType: etcd
  rootPath: {root_path}
  etcd:
    address: ["{self.server.address}"]
    enableAuth: true
    username: {USER}
    password: {STORE_PASSWORD}"""

    def content(self, root_path: str) -> dict[str, str]:
        items = self._etcd.items(f"{root_path}/")
        return {key: value.decode() for key, value in items.items()}


class MariaDbStore(Database):
    def __init__(self, data: Path, port: int) -> None:
        self.server = MariaDb(data, port)
        self._mariadb = self.server
        self.variable = ("CDC_TEST_MYSQL", self.server.dsn)
        self.server.start()

    def meta_store(self, root_path: str) -> str:
        return f"""\
  storeType: mysql
  rootPath: {root_path}
  mysqlSourceUrl: {json.dumps(self._mariadb.dsn)}"""

    def content(self, root_path: str) -> dict[str, str]:
        rows = self._mariadb.run(f"SELECT k, v FROM milvus_cdc_kv WHERE k LIKE '{root_path}/%'")
        return {row[0]: row[1] for row in rows}


@pytest.fixture(scope="module", params=["etcd", "mariadb"])
def database(
    request: pytest.FixtureRequest, spare_ports: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("store")
    make = {"etcd": EtcdStore, "mariadb": MariaDbStore}[request.param]
    made = make(folder, spare_ports)
    yield made
    made.server.kill()


# --- the contract -----------------------------------------------------------------------------


@pytest.mark.xdist_group("stores")
def test_contract(database: Database) -> None:
    """The suite of the C++ side, which without a server runs on SQLite and in memory."""
    name, value = database.variable
    kind = name.removeprefix("CDC_TEST_").lower()
    done = subprocess.run(
        [str(cdc_binary().parent / "store_test"), f"--gtest_filter=*/{kind}"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
    assert passed and int(passed[1]) > 20, done.stdout[-1000:]
    assert not database.content(ROOT), "the suite leaves nothing behind"


# --- replication ------------------------------------------------------------------------------


@pytest.fixture
def root_path(scenario: Scenario) -> str:
    return f"{TASKS}/{scenario.prefix}"


@pytest.fixture
def server(other_server: CdcServer, database: Database, root_path: str) -> CdcServer:
    """A running milvus-cdc that keeps everything in the database."""
    if not database.server.process.running:  # a test before may have left it dead
        database.server.start()
    text = other_server.configuration(meta_store=database.meta_store(root_path))
    return other_server.start(text)


def _request(scenario: Scenario, **changes: Any) -> dict[str, Any]:
    param = {**scenario.target.connect_param(), "token": TARGET_TOKEN}
    return scenario.request(milvus_connect_param=param, **changes)


def _create(server: CdcServer, scenario: Scenario) -> Task:
    task = server.create(**_request(scenario))
    scenario.task = task
    return task


@on("replicate")
def test_killed_server_goes_on(
    scenario: Scenario, server: CdcServer, database: Database, root_path: str
) -> None:
    task = _create(server, scenario)
    seeded = scenario.seed()
    keys = seeded.insert(50)
    scenario.assert_equal(seeded)
    server.kill()
    seeded.delete(keys[:10])
    seeded.insert(30)
    server.start()
    later = scenario.seed("later")
    later.insert(10)
    scenario.assert_equal(seeded, later)
    assert [one["task_id"] for one in server.tasks()] == [task.task_id]

    stored = database.content(root_path)
    assert any("/progress/" in key for key in stored), stored.keys()
    assert not list(server.data.rglob("*.db")), "there is no second store"
    task.pause()
    task.delete()
    scenario.task = None
    left = {key.removeprefix(f"{root_path}/milvus-cdc/") for key in database.content(root_path)}
    assert all(key == "head" or key.startswith("lane/") for key in left), left


@on("replicate")
def test_store_down_and_back(scenario: Scenario, server: CdcServer, database: Database) -> None:
    task = _create(server, scenario)
    seeded = scenario.seed()
    keys = seeded.insert(50)
    scenario.assert_equal(seeded)

    database.server.kill()
    for _ in range(5):
        seeded.insert(20)
    seeded.delete(keys[:10])
    task.wait_complaint(database.server.address)
    assert server.healthy()
    with pytest.raises(CdcError) as refused:
        server.create(**_request(scenario, db_collections={"default": [{"name": "other_*"}]}))
    assert database.server.address in refused.value.message, refused.value.message

    database.server.start()
    task.wait_health("ok", timeout=90)
    scenario.assert_equal(seeded)
    seeded.insert(20)
    server.kill()
    seeded.delete(keys[10:20])
    server.start()
    scenario.assert_equal(seeded)
    assert [one["task_id"] for one in server.tasks()] == [task.task_id]


# --- half a minute without it -------------------------------------------------------------------

OUTAGE = 30.0  # seconds
ROW_BYTES, BATCH = 32_768, 64
VOLUME = 48 * BATCH  # 96 MiB: three times what may wait for one target
# One target more than in the quota of docs/operations/limits.md brings its own changes that wait.
RESIDENT_LIMIT_MB = (QUOTA_MB + 32) * 1.2
MARGIN = 500 << 18  # half a second of Milvus' time: the ticks behind a row are covered too


class Load:
    """Writes steadily into one collection: many large rows, with upserts and deletes among them."""

    def __init__(self, scenario: Scenario) -> None:
        text = FieldSchema("text", DataType.VARCHAR, max_length=ROW_BYTES)
        self.seeded = scenario.seed(fields=[FieldSchema("n", DataType.INT64), text])
        self.rows = 0

    def write(self) -> None:
        """One round."""
        keys = self.seeded.insert(BATCH, text=f"{self.rows:08}" * (ROW_BYTES // 8))
        self.rows += len(keys)
        self.seeded.upsert(keys[:5])
        self.seeded.delete(keys[5:10])

    def go_on_for(self, seconds: float) -> int:
        """Spreads VOLUME rows over the time, which may become longer; returns how many it wrote."""
        began, first = time.monotonic(), self.rows
        while (passed := time.monotonic() - began) < seconds or self.rows - first < VOLUME:
            self.write()
            due = seconds * (self.rows - first) / VOLUME
            time.sleep(max(0.0, due - passed))  # paces the load
        return self.rows - first


def _stored(database: Database, root_path: str, what: str) -> int:
    """The lowest `fence` of all channels and lanes, or the lowest `filter` of all channels."""
    content = database.content(root_path)
    places = ("/channel/", "/lane/") if what == "fence" else ("/channel/",)
    for place in places:
        assert any(place in key for key in content), content.keys()
    records = [json.loads(text) for key, text in content.items() if any(p in key for p in places)]
    return min(int(record[what]) for record in records)


@pytest.fixture
def beside(scenario: Scenario) -> Iterator[Scenario]:
    """The same collections of the source, and a target of the other mode."""
    other = Scenario(scenario.stack, scenario.stack.target("api"), scenario.prefix)
    yield other
    other.clean_up(wait=False)


@on("replicate")
@pytest.mark.parametrize(
    "database", ["etcd", pytest.param("mariadb", marks=pytest.mark.slow)], indirect=True
)
def test_half_a_minute_without_the_store(
    scenario: Scenario, beside: Scenario, server: CdcServer, database: Database, root_path: str
) -> None:
    both = [scenario, beside]
    tasks = [_create(server, one) for one in both]
    load = Load(scenario)

    def assert_equal() -> None:
        for one in both:
            one.assert_equal(load.seeded, timeout=120)

    def covered() -> bool:
        load.write()
        return _stored(database, root_path, "fence") >= load.seeded.last_ts + MARGIN

    assert_equal()
    until("the stored fences cover all that was written", covered)
    database.server.kill()
    killed_ms, before = time.time() * 1000, load.seeded.last_ts
    written = load.go_on_for(OUTAGE)
    for task in tasks:
        task.wait_safe(before)
        task.wait_complaint(database.server.address)
        assert task.get()["health"] == "warning", task.get()
        # No row is sent beyond the fences that are stored.
        assert task.progress()["safe_time_ms"] < killed_ms + 5_000, task.get()

    database.server.start()
    back = now_ts()
    for task in tasks:
        task.wait_health("ok", timeout=90)
    load.write()
    assert_equal()
    until("the lags are small again", lambda: all(t.progress()["lag_ms"] < 2_000 for t in tasks))
    until("checkpoints are later", lambda: _stored(database, root_path, "filter") > back)
    memory = server.process.memory_mb("VmHWM")
    assert memory < RESIDENT_LIMIT_MB, f"{memory:.0f} MB resident at the highest"

    server.restart(hard=True)
    load.write()
    assert_equal()
    for task in tasks:
        assert task.progress()["rows_replayed"] < written // 10, task.get()


@on("replicate")
def test_frozen_store(scenario: Scenario, server: CdcServer, database: Database) -> None:
    """It accepts connections and answers nothing; what it was told may still come true later."""
    task = _create(server, scenario)
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    database.server.freeze()
    try:
        seeded.upsert(keys[:10])
        seeded.insert(20)
        task.wait_health("warning", timeout=60)
    finally:
        database.server.thaw()
    task.wait_health("ok", timeout=90)
    scenario.assert_equal(seeded)
    server.restart(hard=True)
    seeded.delete(keys[20:])
    scenario.assert_equal(seeded)


@on("replicate")
def test_secrets_are_encrypted_once_there_is_a_key(
    scenario: Scenario, server: CdcServer, database: Database, root_path: str
) -> None:
    _create(server, scenario)
    assert TARGET_TOKEN in "".join(database.content(root_path).values())
    server.terminate()
    server.environment = {"MILVUS_CDC_SECRET_KEY": PASSPHRASE}
    server.start()
    assert TARGET_TOKEN not in "".join(database.content(root_path).values())
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)

    server.terminate()
    begin = server.process.log_size()
    server.environment = {"MILVUS_CDC_SECRET_KEY": WRONG_PASSPHRASE}
    server.launch()
    until("it has ended", lambda: not server.process.running, 20)
    said = server.process.tail(20, begin)
    assert server.process.exit_code != 0
    assert "MILVUS_CDC_SECRET_KEY" in said, said


@on("replicate")
def test_pause_that_the_store_has_not_heard_of(
    scenario: Scenario, server: CdcServer, database: Database
) -> None:
    task = _create(server, scenario)
    database.server.kill()
    with pytest.raises(CdcError, match="fail to update the task state"):
        task.pause()
    assert task.get()["state"] == "Paused"
    database.server.start()

    def heard() -> bool:
        try:
            task.pause()
        except CdcError as error:
            raise AssertionError(error.message) from error
        return True

    until("the store takes the pause", heard, 60)
    with pytest.raises(CdcError, match="the task has paused"):
        task.pause()
    server.restart(hard=True)
    assert task.get()["state"] == "Paused"
