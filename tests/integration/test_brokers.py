"""Kafka and Pulsar as the source's log: what only a broker can do to a reader, or want from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pymilvus import MilvusException

from lab.broker import Broker
from lab.bulk import Bulk, BulkWriter
from lab.cdc_server import CdcError
from lab.certificates import Certificates, make_certificates
from lab.client import Key, Row
from lab.comparer import diff_rows, limited
from lab.kafka import Kafka
from lab.kafka_pair import KafkaPair
from lab.logged_rows import compare_logged, count, is_insert, logged_rows
from lab.milvus import Milvus
from lab.planted import KAFKA_PASSWORD
from lab.pulsar import Pulsar, token
from lab.stack import Stack
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, Scenario, on

ON_BOTH = pytest.mark.logs("kafka", "pulsar")
ON_KAFKA = pytest.mark.logs("kafka")
ON_PULSAR = pytest.mark.logs("pulsar")

COLLECTIONS = 4
ROWS = 100_000 // COLLECTIONS
BATCH = 1_250
CHANGED = 500


def _broker(stack: Stack) -> Broker:
    assert stack.broker is not None
    return stack.broker


def _kafka(stack: Stack) -> Kafka:
    assert isinstance(stack.broker, Kafka)
    return stack.broker


def _pulsar(stack: Stack) -> Pulsar:
    assert isinstance(stack.broker, Pulsar)
    return stack.broker


# --- trouble in the middle of a load ----------------------------------------------------------


class _Load(BulkWriter):
    """Goes through any trouble; what a broken insert had written is replaced."""

    def insert(self, bulk: Bulk, first: int) -> None:
        try:
            super().insert(bulk, first)
        except MilvusException:
            until("the source takes rows again", lambda: self._replaced(bulk, first), 120, 0.5)

    def _replaced(self, bulk: Bulk, first: int) -> bool:
        try:
            bulk.upsert(list(range(first, first + self.batch)))
        except MilvusException as error:
            raise AssertionError(str(error)) from error
        return True


def _loaded(scenario: Scenario, disturb: Callable[[int], None]) -> None:
    """Disturbs a load three times; afterwards both logs hold the same rows, and the target, which
    nothing disturbed, shows them.

    The source's log tells what is right, because Milvus 2.3.5 shows rows twice after its Pulsar
    was away. That log may hold a message twice, when the broker went before it had acknowledged
    the first.
    """
    task = scenario.start_task()
    all_bulk = [
        Bulk(scenario.source, "default", scenario.name(f"c{i}"), seed=1000 * i).create()
        for i in range(COLLECTIONS)
    ]
    load = _Load(all_bulk, ROWS, BATCH, CHANGED)
    load.start()
    for number in range(3):
        load.wait_for_round(4 + 4 * number)
        disturb(number)
    load.finish()
    for bulk in all_bulk:
        task.wait_safe(bulk.last_ts, timeout=180)
    task.wait_health("ok")
    logs = _Logs(scenario, [bulk.name for bulk in all_bulk])
    for bulk in all_bulk:
        assert logs.keys(bulk.name) == bulk.alive and len(bulk.alive) == ROWS - CHANGED
    logs.assert_equal()
    for bulk in all_bulk:
        place = scenario.target.place(task, "default", bulk.name)
        assert place.client.count("default", bulk.name, at=place.at) == len(bulk.alive)
        shown = place.client.scan("default", bulk.name, "id", None, place.at)
        found = diff_rows(logs.rows(bulk.name), shown, scenario.target.traits, set())
        assert not found, "\n".join(limited(found))


class _Logs:
    """What the logs of both sides hold of these collections."""

    def __init__(self, scenario: Scenario, names: list[str]) -> None:
        target = scenario.target.server
        assert isinstance(target, Milvus)
        places = [("default", name) for name in names]
        self.here = logged_rows(scenario.stack.source, scenario.source, places)
        self.there = logged_rows(target, scenario.target.client, places)

    def keys(self, name: str) -> set[Key]:
        return {key for _, key in self.here["default", name]}

    def rows(self, name: str) -> dict[Key, Row]:
        """The source's."""
        return {key: copies[-1] for (_, key), copies in self.here["default", name].items()}

    def assert_equal(self) -> None:
        for name, here in self.here.items():
            found = compare_logged(name, here, self.there[name])
            assert not found, "\n".join(found)


def _kill_broker(scenario: Scenario) -> None:
    broker = _broker(scenario.stack)

    def disturb(number: int) -> None:
        if number == 1:
            broker.restart(hard=True)

    _loaded(scenario, disturb)


@ON_BOTH
@on("replicate")
def test_broker_killed_in_the_middle_of_a_load(scenario: Scenario) -> None:
    _kill_broker(scenario)


@pytest.mark.slow
@ON_BOTH
@on("api")
def test_broker_killed_in_the_middle_of_a_load_by_plain_calls(scenario: Scenario) -> None:
    _kill_broker(scenario)


@pytest.fixture
def paired(
    request: pytest.FixtureRequest, second_ports: int, spare_ports: int, log: str
) -> Iterator[Stack]:
    """A source whose Kafka has two nodes, and an ordinary target."""
    stack = Stack(second_ports, log=log)
    broker = stack.broker
    assert broker is not None
    stack.broker = stack.source.broker = KafkaPair(broker.data, broker.port, spare_ports)
    try:
        yield stack.start(modes=("api",))
    finally:
        stack.stop(keep_data=request.session.testsfailed > 0)


@pytest.mark.slow
@ON_KAFKA
@pytest.mark.xdist_group("own")
def test_leaders_moved_in_the_middle_of_a_load(paired: Stack) -> None:
    pair = paired.broker
    assert isinstance(pair, KafkaPair)
    paired.cdc.start()

    def leaders() -> set[int]:
        return {pair.leader(topic) for topic in pair.topics("src-rootcoord-dml_")}

    def disturb(number: int) -> None:
        assert leaders() == ({1} if number == 1 else {1, 2})
        if number == 0:
            pair.second.kill()
            until("all are led by the node that is left", lambda: leaders() == {1}, 60)
            return
        if number == 2:
            pair.second.stop()  # which hands them over
            until("all are led by the node that is left", lambda: leaders() == {1}, 60)
        pair.second.start()
        pair.prefer()
        until("each node leads some", lambda: leaders() == {1, 2}, 60)

    _loaded(_scenario(paired), disturb)


@ON_PULSAR
@on("replicate")
def test_topics_unloaded_in_the_middle_of_a_load(scenario: Scenario) -> None:
    broker = _pulsar(scenario.stack)

    def disturb(_: int) -> None:
        for topic in broker.topics("src-rootcoord-dml_"):
            broker.unload(topic)

    _loaded(scenario, disturb)


@ON_BOTH
@BOTH_MODES
def test_message_that_the_producer_wrote_twice(scenario: Scenario) -> None:
    """The copy stands behind the ticks that cover it; it is the same row, and arrives once."""
    task = scenario.start_task()
    seeded = scenario.seed(shards=1)
    seeded.insert(10)
    keys = seeded.insert(20)
    scenario.assert_equal(seeded)
    (topic,) = seeded.channels
    _broker(scenario.stack).repeat(topic, is_insert)
    seeded.delete(keys[:5])
    seeded.insert(10)
    task.wait_safe(seeded.last_ts)
    scenario.assert_healthy()
    logs = _Logs(scenario, [seeded.name])
    assert count(logs.here["default", seeded.name]) == 10 + 15 + 10
    logs.assert_equal()


# --- what is left behind ----------------------------------------------------------------------


@ON_PULSAR
@on("api")
def test_no_subscription_is_left_behind(scenario: Scenario) -> None:
    broker = _pulsar(scenario.stack)
    seeded = scenario.seed()

    def subscriptions(durable_only: bool) -> set[tuple[str, str]]:
        return {
            (topic, name)
            for topic in broker.topics("src-")
            for name, durable in broker.subscriptions(topic).items()
            if durable or not durable_only
        }

    before = subscriptions(False)
    task = scenario.start_task()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    assert subscriptions(True) <= before
    task.pause()
    until("a paused task has no subscription", lambda: subscriptions(False) <= before, 30)
    task.resume()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    scenario.cdc.kill()
    until("a killed server has no subscription", lambda: subscriptions(False) <= before, 30)
    scenario.cdc.start()
    seeded.insert(20)
    scenario.assert_equal(seeded)


@ON_KAFKA
@on("api")
def test_no_consumer_group_appears(scenario: Scenario) -> None:
    broker = _kafka(scenario.stack)
    seeded = scenario.seed()
    before = broker.consumer_groups()
    task = scenario.start_task()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    assert broker.consumer_groups() == before
    task.pause()
    assert broker.consumer_groups() == before


# --- servers of a test's own ------------------------------------------------------------------


@pytest.fixture
def own(request: pytest.FixtureRequest, second_ports: int, log: str) -> Iterator[Stack]:
    """A source whose broker is secured as the parameter says, and an ordinary target."""
    stack = Stack(second_ports, log=log, security=getattr(request, "param", "none"))
    try:
        yield stack.start(modes=("api",))
    finally:
        stack.stop(keep_data=request.session.testsfailed > 0)


def _scenario(own: Stack) -> Scenario:
    return Scenario(own, own.targets["api"], "own")


@ON_BOTH
@pytest.mark.xdist_group("own")
def test_position_that_the_log_no_longer_holds(own: Stack) -> None:
    """Cut off while the task is paused: it fails with the reason, and applies nothing later."""
    own.cdc.start()
    scenario = _scenario(own)
    task = scenario.start_task()
    seeded = scenario.seed(shards=2)
    seeded.insert(30)
    scenario.assert_equal(seeded)
    arrived = seeded.rows_alive
    task.pause()
    seeded.insert(40)
    for topic in seeded.channels:
        _broker(own).truncate(topic)
    seeded.insert(50)
    with pytest.raises(CdcError, match="cannot read") as refused:
        task.resume()
    assert "oldest message held" in refused.value.message
    failed = task.get()
    assert failed["health"] == "failed", failed
    assert "cannot read" in failed["health_reason"], failed
    own.cdc.restart(hard=True)
    failed = task.get()
    assert failed["health"] == "failed", failed
    assert scenario.target.client.count("default", seeded.name) == arrived


def _replicates(own: Stack) -> None:
    scenario = _scenario(own)
    scenario.assert_replicates()
    scenario.assert_healthy()


def _refused_then_replicates(own: Stack, *wrongs: tuple[str, str], secret: str = "") -> None:
    """With any of these mistakes, each (right, wrong), there is a complaint; without, it works.
    What the server was told in secret is in no line of its log."""
    configuration = own.cdc.configuration()
    for right, wrong in wrongs:
        assert right in configuration
        own.cdc.start(configuration.replace(right, wrong))
        everything = {"*": [{"name": "*"}]}
        reason = own.cdc.create_fails(blackhole_connect_param={}, db_collections=everything)
        assert "127.0.0.1" in reason, reason
        own.cdc.terminate()
    own.cdc.start(configuration)
    _replicates(own)
    if secret:
        assert secret in configuration
        assert secret not in own.cdc.process.log.read_text()


def _others(own: Stack) -> Certificates:
    """What the broker's certificate authority did not sign."""
    return make_certificates(own.data / "others")


@ON_KAFKA
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["plain", "scram"], indirect=True)
def test_kafka_with_user_and_password(own: Stack) -> None:
    _refused_then_replicates(own, (KAFKA_PASSWORD, "wrong"), secret=KAFKA_PASSWORD)


@ON_KAFKA
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["tls_scram"], indirect=True)
def test_kafka_with_user_and_password_over_tls(own: Stack) -> None:
    """As managed clouds have it."""
    made = _kafka(own).certificates
    assert made is not None
    not_theirs = (str(made.ca), str(_others(own).ca))
    _refused_then_replicates(own, (KAFKA_PASSWORD, "wrong"), not_theirs, secret=KAFKA_PASSWORD)


@ON_KAFKA
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["tls"], indirect=True)
def test_kafka_with_client_certificates(own: Stack) -> None:
    made = _kafka(own).certificates
    assert made is not None
    own_key = f"      ssl.certificate.location: {made.client}\n"
    own_key += f"      ssl.key.location: {made.client_key}"
    _refused_then_replicates(own, (own_key, ""))


@ON_PULSAR
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["token"], indirect=True)
def test_pulsar_with_token(own: Stack) -> None:
    right = token("cdc")
    wrong = token("cdc", b"another secret, not the broker's")
    _refused_then_replicates(own, (right, wrong), secret=right)


@ON_PULSAR
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["tls"], indirect=True)
def test_pulsar_with_tls(own: Stack) -> None:
    made = _pulsar(own).certificates
    assert made is not None
    _refused_then_replicates(own, (str(made.ca), str(_others(own).ca)))


@ON_PULSAR
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["tls_token"], indirect=True)
def test_pulsar_with_token_over_tls(own: Stack) -> None:
    made, right = _pulsar(own).certificates, token("cdc")
    assert made is not None
    wrong = token("cdc", b"another secret, not the broker's")
    not_theirs = (str(made.ca), str(_others(own).ca))
    _refused_then_replicates(own, (right, wrong), not_theirs, secret=right)


@ON_PULSAR
@pytest.mark.xdist_group("own")
@pytest.mark.parametrize("own", ["tls_certificate"], indirect=True)
def test_pulsar_with_client_certificate(own: Stack) -> None:
    made, others = _pulsar(own).certificates, _others(own)
    assert made is not None
    shown = f"tlsCertFile:{made.client},tlsKeyFile:{made.client_key}"
    not_theirs = f"tlsCertFile:{others.client},tlsKeyFile:{others.client_key}"
    plugin = f"    authPlugin: tls\n    authParams: {shown}"
    _refused_then_replicates(own, (shown, not_theirs), (plugin, ""))
