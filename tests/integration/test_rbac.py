"""Users, roles and grants (`enable_user_role`), on servers of their own that ask for passwords.

A source of 2.3.5 tells no passwords; those come from what a 2.5.15 wrote, replayed from a real etcd
and Kafka. The target is a real 2.3.5 either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from lab.access import AUTHORIZATION, ROOT, Access, Grant, State, can_log_in, encoded
from lab.cdc_server import Task
from lab.client import Client, ServerError
from lab.kafka import Kafka
from lab.milvus import Milvus
from lab.places import ROOT as CHECKOUT
from lab.planted import (
    CHANGED_PASSWORD,
    HASH,
    RECORDED_PASSWORDS,
    SOURCE_PASSWORD,
    TASK_PASSWORD,
    USER_PASSWORD,
)
from lab.recording import ReplayedSource, load_recording
from lab.seeder import Seeded
from lab.stack import Stack
from lab.waiting import until

pytestmark = pytest.mark.xdist_group("own")

OURS = f"cdc:{TASK_PASSWORD}"  # whom the task logs in as


@dataclass
class Servers:
    stack: Stack
    target: Milvus
    mode: str
    at_source: Access
    at_target: Access

    def task(self) -> Task:
        return self.stack.cdc.create(
            milvus_connect_param={
                **{"uri": self.target.uri, "token": OURS},
                **{"mode": self.mode, "connect_timeout": 10},
            },
            db_collections={"default": [{"name": "*"}]},
            name_mapping=[{"source_db": "default", "target_db": "copy"}],
            extra_info={"enable_user_role": True},
        )

    def expected(self, local: State) -> State:
        """What the target shall have: what the source has, as mapped, and what is its own."""
        source = self.at_source.state("default")
        grants = {g._replace(db="copy") if g.db == "default" else g for g in source.grants}
        return State(
            source.users | local.users,
            source.roles | local.roles,
            source.bindings | local.bindings,
            frozenset(grants) | local.grants,
        )

    def equal(self, local: State) -> None:
        def same() -> bool:
            now, wanted = self.at_target.state("default", "copy"), self.expected(local)
            assert now == wanted, f"{now}\nwanted: {wanted}"
            return True

        until("the target has the source's users, roles and grants", same, 60)


@pytest.fixture(params=["api", "replicate"])
def servers(request: pytest.FixtureRequest, second_ports: int) -> Iterator[Servers]:
    """A target with a user for the task, and with a user and a role that are its own."""
    stack = Stack(second_ports)
    stack.source.extra_env = dict(AUTHORIZATION)
    mode = str(request.param)
    target = stack.milvus("copy", 3, standby=mode == "replicate", extra_env=AUTHORIZATION)
    clients = [
        Client(stack.source.uri, "source-root", ROOT),
        Client(target.uri, "target-root", ROOT),
    ]
    servers = Servers(stack, target, mode, *map(Access, clients))
    try:
        stack.etcd.start()
        target.launch()
        stack.source.start()
        target.wait()
        servers.at_target.create_user(*OURS.split(":"))
        servers.at_target.bind("cdc", "admin")
        servers.at_target.create_user("local", USER_PASSWORD)
        servers.at_target.create_role("local")
        servers.at_target.grant(Grant("local", "Collection", "*", "*", "Query"))
        stack.cdc.start()
        yield servers
    finally:
        for client in clients:
            client.close()
        target.kill()
        stack.stop()


def test_roles_grants_and_bindings_are_the_sources(servers: Servers) -> None:
    source, target = servers.at_source, servers.at_target
    local = target.state("default", "copy")
    books = Seeded.create(source.client, "books")
    books.insert(10)
    source.create_role("reader")
    source.grant(Grant("reader", "Collection", "default", "books", "Query"))
    source.grant(Grant("reader", "Global", "*", "*", "ShowCollections"))
    source.create_user("eve", USER_PASSWORD)
    source.bind("eve", "reader")
    source.create_user("cdc", SOURCE_PASSWORD)  # of the name that we log in as
    task = servers.task()

    # A 2.3.5 keeps the password to itself: somebody has to make the user.
    reason = task.wait_complaint("'eve'")
    assert "users and roles" in reason and "'cdc'" not in reason
    target.create_user("eve", USER_PASSWORD)
    source.create_role("writer")  # a change makes it look at once, not within a minute
    servers.equal(local)
    task.wait_health("ok")

    until("the collection is there", lambda: target.client.exists("copy", "books"))
    eve = Client(servers.target.uri, "eve", f"eve:{USER_PASSWORD}")
    statistics = milvus_pb2.GetCollectionStatisticsRequest(db_name="copy", collection_name="books")
    with pytest.raises(ServerError, match="(?i)permission"):
        eve.call("GetCollectionStatistics", statistics)
    source.grant(Grant("reader", "Collection", "default", "books", "GetStatistics"))
    servers.equal(local)
    until("eve may", lambda: eve.call("GetCollectionStatistics", statistics) is not None)
    source.grant(Grant("reader", "Collection", "default", "books", "GetStatistics"), away=True)

    def refused() -> bool:
        try:
            eve.call("GetCollectionStatistics", statistics)
        except ServerError as error:
            return "permission" in error.reason.lower()
        return False

    until("eve may no more", refused)
    eve.close()

    source.bind("eve", "reader", away=True)
    servers.equal(local)
    source.grant(Grant("reader", "Collection", "default", "books", "Query"), away=True)
    source.grant(Grant("reader", "Global", "*", "*", "ShowCollections"), away=True)
    source.drop_role("reader")
    source.drop_user("eve")
    source.drop_user("cdc")
    servers.equal(local)
    assert can_log_in(servers.target.uri, *OURS.split(":"))
    servers.stack.cdc.tasks()  # what it answers is looked through for secrets


def test_what_changes_while_one_of_us_is_away_is_made_up_for(servers: Servers) -> None:
    source, target = servers.at_source, servers.at_target
    local = target.state("default", "copy")
    task = servers.task()
    source.create_role("writer")
    source.grant(Grant("writer", "Collection", "default", "*", "Insert"))
    servers.equal(local)

    servers.target.kill()
    source.create_role("while_the_target_is_away")
    source.grant(Grant("writer", "Collection", "default", "*", "Delete"))
    source.grant(Grant("writer", "Collection", "default", "*", "Insert"), away=True)
    task.wait_complaint()
    target.client.close()
    servers.target.start()
    servers.equal(local)

    source.create_user("gone", USER_PASSWORD)
    task.wait_complaint("'gone'")
    target.create_user("gone", USER_PASSWORD)
    source.create_role("dropped_meanwhile")
    servers.equal(local)
    task.wait_health("ok")
    task.pause()
    source.drop_user("gone")
    task.resume()
    servers.equal(local)

    servers.stack.cdc.terminate()
    source.drop_role("dropped_meanwhile")
    source.create_role("while_we_are_away")
    source.grant(Grant("while_we_are_away", "Collection", "*", "*", "Search"))
    servers.stack.cdc.start()
    servers.equal(local)
    task.wait_health("ok")


# --- passwords, as a Milvus 2.5.15 told them ----------------------------------------------------

CREATE, DELETE, UPDATE = 1500, 1502, 1503
FIRST, SECOND, THIRD = (*RECORDED_PASSWORDS, CHANGED_PASSWORD)


@dataclass
class Replayed:
    stack: Stack
    source: ReplayedSource
    target: Milvus
    at_target: Access
    keys: dict[str, bytes]

    def tell(self, kind: int, user: str) -> None:
        """The recorded message again, as if it had just been written."""
        recording = self.source.recording
        message = next(
            m
            for m in recording.messages
            if m.kind == kind
            and milvus_pb2.DeleteCredentialRequest.FromString(m.payload).username == user
        )
        self.source.append(message.topic, message.payload, message.headers)

    def tell_update(self, user: str, old: str, new: str) -> None:
        request = milvus_pb2.UpdateCredentialRequest(
            base=common_pb2.MsgBase(msg_type=UPDATE),
            username=user,
            oldPassword=encoded(old),
            newPassword=encoded(new),
        )
        topic = f"{self.source.name}-replicate-msg"
        self.source.append(topic, request.SerializeToString())

    def logs_in(self, user: str, password: str) -> None:
        until(f"{user} logs in", lambda: can_log_in(self.target.uri, user, password), 60)


def _recorded_keys(version: str) -> dict[str, bytes]:
    path = CHECKOUT / "tests" / "golden" / "etcd" / f"{version}-rbac.txt"
    lines = [line.split() for line in path.read_text().splitlines() if line[0] != "#"]
    return {key: bytes.fromhex(value.strip("-")) for _, _, key, value in lines}


@pytest.fixture
def replayed(second_ports: int) -> Iterator[Replayed]:
    stack = Stack(second_ports, log="kafka")
    assert isinstance(stack.broker, Kafka)
    target = stack.milvus("copy", 3, extra_env=AUTHORIZATION)
    client = Client(target.uri, "target-root", ROOT)
    source: ReplayedSource | None = None
    try:
        stack.broker.launch()
        stack.etcd.start()
        target.launch()
        stack.broker.wait()
        recording = load_recording("2.5.15")
        recording.put_databases(stack.etcd)
        keys = _recorded_keys("2.5.15")
        stack.etcd.put_all(keys)
        source = ReplayedSource(recording, stack.etcd, stack.broker).start()
        stack.cdc.source = source
        target.wait()
        stack.cdc.start()
        yield Replayed(stack, source, target, Access(client), keys)
    finally:
        if source is not None:
            source.stop()
        client.close()
        target.kill()
        stack.stop()


def test_passwords_come_from_the_operation_topic(replayed: Replayed) -> None:
    target, uri = replayed.at_target, replayed.target.uri
    task = replayed.stack.cdc.create(
        milvus_connect_param={"uri": uri, "token": ROOT, "mode": "api", "connect_timeout": 10},
        db_collections={"default": [{"name": "none_of_them*"}]},
        extra_info={"enable_user_role": True},
    )
    task.wait_complaint("'u1'")
    replayed.tell(CREATE, "u1")
    replayed.logs_in("u1", FIRST)
    replayed.tell(UPDATE, "u1")
    replayed.logs_in("u1", SECOND)
    assert not can_log_in(uri, "u1", FIRST)
    wanted = State(
        frozenset({"u1"}),
        frozenset({"r1"}),
        frozenset({("u1", "r1")}),
        frozenset({Grant("r1", "Collection", "default", "alltypes", "Insert")}),
    )
    until("all that a 2.3.5 can hold is there", lambda: target.state("default") == wanted)
    assert "privilege groups" in task.wait_complaint("privilege groups")

    # A restart reads on behind what is done, and does it again without harm if it must.
    replayed.stack.cdc.restart(hard=True)
    replayed.tell(UPDATE, "u1")
    replayed.tell_update("u1", SECOND, THIRD)
    replayed.logs_in("u1", THIRD)

    credential = f"{replayed.source.name}/meta/root-coord/credential/"
    assert replayed.stack.etcd.delete_prefix(f"{credential}users/u1") == 1
    gone = replace(wanted, users=frozenset(), bindings=frozenset())
    until("the user is gone", lambda: target.state("default") == gone)
    replayed.tell(DELETE, "u2")
    replayed.stack.cdc.tasks()  # what it answers is looked through for secrets
    for user in ("root", "u1"):  # and for these
        assert HASH in replayed.keys[f"{credential}users/{user}"].decode()
