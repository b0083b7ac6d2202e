"""Pulsar read as a log, below everything that knows of Milvus: order, places, what a broker does.

Against one real broker with small ledgers, to which every client must show a token.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pulsar
import pytest

from lab.log_check import LogCheck, Sent, plain
from lab.places import libpulsar
from lab.pulsar import NAMESPACE, TENANT, Pulsar, token
from lab.waiting import until

LEDGER = 20  # entries in one
_numbers = itertools.count(1)

pytestmark = pytest.mark.xdist_group("pulsar_log")


class SmallLedgers(Pulsar):
    def _properties(self) -> list[str]:
        return [
            *super()._properties(),
            f"managedLedgerMaxEntriesPerLedger={LEDGER}",
            "managedLedgerMinLedgerRolloverTimeMinutes=0",
            # A frozen reader stays connected, however long it takes to write what it will miss: by
            # default the broker forgets it after a minute.
            "keepAliveIntervalSeconds=600",
        ]


class Topic:
    """A topic of one test: written as Milvus 2.3 to 2.5 does, read with log_check."""

    def __init__(self, broker: Pulsar, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.name = f"log{next(_numbers)}"
        self.sent: list[Sent] = []
        self._checks: list[LogCheck] = []
        self.client = pulsar.Client(
            f"pulsar://{broker.address}",
            authentication=pulsar.AuthenticationToken(token("lab")),
            logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error),
        )
        self.full = f"persistent://{TENANT}/{NAMESPACE}/{self.name}"
        self.producer = self._producer(batching=False)

    def _producer(self, *, batching: bool) -> pulsar.Producer:
        return self.client.create_producer(
            self.full,
            compression_type=pulsar.CompressionType.ZSTD,
            batching_enabled=batching,
            batching_max_publish_delay_ms=50,
            send_timeout_millis=60_000,
        )

    def send(self, count: int, size: int = 100) -> list[Sent]:
        """Each message is another one; returns those of this call."""
        for _ in range(count):
            number = len(self.sent)
            payload = (b"%09d," % number) * (size // 10)
            place = self.producer.send(payload)
            name = f"{place.ledger_id()}:{place.entry_id()}"
            self.sent.append(Sent.of(name, payload))
        return self.sent[-count:]

    def send_batch(self, count: int) -> None:
        producer = self._producer(batching=True)
        for number in range(count):
            producer.send_async(b"batched %d" % number, lambda *_: None)
        producer.flush()
        producer.close()

    def check(self, *arguments: str, shown: str | None = None) -> LogCheck:
        """log_check on this topic, with a good token unless another one is given."""
        output = self.folder / f"check{next(_numbers)}.log"
        params = f"token:{shown or token('cdc')}"
        security = ["--auth-plugin", "token", "--auth-params", params]
        where = ["--library", str(libpulsar())]
        if "--pulsar" not in arguments:
            where += ["--pulsar", self.broker.address]
        topic = ["--topic", self.name, "--patience", "2"]
        check = LogCheck(output, [*where, *security, *topic, *arguments])
        self._checks.append(check)
        return check

    def read(self, place: str, count: int) -> list[Sent]:
        check = self.check("--from", place, "--count", str(count))
        assert check.wait_end() == 0, check.text()
        return plain(check.entries())

    def close(self) -> None:
        for check in self._checks:
            check.process.kill()
        self.client.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, spare_ports: int) -> Iterator[Pulsar]:
    broker = SmallLedgers(tmp_path_factory.mktemp("pulsar"), spare_ports, security="token")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def topic(broker: Pulsar, tmp_path: Path) -> Iterator[Topic]:
    if not broker.process.running:  # a test before may have left it dead
        broker.start()
    topic = Topic(broker, tmp_path)
    yield topic
    topic.close()


def test_reads_in_order_from_every_place(topic: Topic) -> None:
    sizes = [100, 1_000, 65_536, 100, 3_000_000, 4_900_000, 10]
    for size in itertools.islice(itertools.cycle(sizes), 3 * LEDGER + 5):
        topic.send(1, size)
    sent = topic.sent
    assert len(topic.broker.ledgers(topic.name)) >= 4
    assert topic.read("earliest", len(sent)) == sent
    for first in (0, 7, LEDGER - 1, LEDGER, 2 * LEDGER + 3, len(sent) - 1):
        assert topic.read(f"at {sent[first].id}", len(sent) - first) == sent[first:]
    for first in (0, LEDGER - 1, LEDGER, len(sent) - 2):
        count = len(sent) - first - 1
        assert topic.read(f"after {sent[first].id}", count) == sent[first + 1 :]


def test_a_backlog_of_small_messages_is_read_in_order(topic: Topic) -> None:
    topic.send(50 * LEDGER, size=20)
    assert topic.read("earliest", len(topic.sent)) == topic.sent


def test_latest(topic: Topic) -> None:
    def latest() -> str:
        check = topic.check("--latest")
        assert check.wait_end() == 0, check.text()
        return str(check.answers()[topic.name]["latest"])

    assert latest() == "earliest"
    topic.send(LEDGER + 3)
    assert latest() == f"after {topic.sent[-1].id}"
    # The broker still knows that message when it is gone; a reader could not begin behind it.
    topic.broker.truncate(topic.name)
    assert latest() == "earliest"


def test_a_place_that_is_gone_is_an_error(topic: Topic) -> None:
    gone = topic.send(LEDGER + 5)
    topic.broker.truncate(topic.name)
    held = topic.send(5)
    for place in (f"at {gone[0].id}", f"after {gone[3].id}", f"at {gone[-1].id}"):
        for arguments in (["--from", place], ["--held", place]):
            check = topic.check(*arguments)
            assert check.wait_end() == 1
            failure = check.wait_failure()
            assert failure.gone and not failure.retry
            assert f"channel {topic.name}: cannot read {place}: " in failure.error
            assert failure.error.endswith(f"the oldest message held is {held[0].id}")
            assert not check.entries()
    assert topic.read("earliest", 5) == held


def test_a_place_behind_the_end_is_an_error(topic: Topic) -> None:
    topic.send(3)
    ledger, entry = topic.sent[-1].id.split(":")
    check = topic.check("--from", f"after {ledger}:{int(entry) + 1}")
    assert check.wait_end() == 1
    assert f"the log ends before it, at {topic.sent[-1].id}" in check.wait_failure().error


def test_what_is_held(topic: Topic) -> None:
    topic.send(2 * LEDGER)
    check = topic.check("--held", f"after {topic.sent[LEDGER].id}")
    assert check.wait_end() == 0, check.text()
    assert check.answers()[topic.name]["oldest"] == topic.sent[0].id


def test_a_jump_over_deleted_messages_is_an_error(topic: Topic) -> None:
    check = topic.check("--from", "earliest")
    topic.send(3)
    check.wait_entries(3)
    check.process.freeze()
    topic.send(10 * LEDGER)
    topic.broker.truncate(topic.name)
    held = topic.send(5)
    check.process.thaw()
    assert check.wait_end() == 1
    read = plain(check.entries())
    assert read == topic.sent[: len(read)]  # up to the gap and not past it
    failure = check.wait_failure()
    assert failure.gone
    assert f"cannot read after {read[-1].id}: " in failure.error
    assert held[0].id in failure.error


def _behind(topic: Topic, size: int = 1_000_000) -> LogCheck:
    """A frozen reader that has been sent only a few of the messages of the ledger it is in."""
    check = topic.check("--from", "earliest")
    topic.send(12, size=size)  # few of these are sent ahead
    check.wait_entries(12)
    check.process.freeze()
    return check


@pytest.mark.parametrize("to", ["same_ledger", "later_ledger"])
def test_messages_past_their_time_to_live_are_read(topic: Topic, to: str) -> None:
    """A broker with a message TTL moves readers that are behind past what it calls expired, though
    it still holds it (Pulsar issue 26504)."""
    if to == "same_ledger":
        check = _behind(topic, size=4_000_000)  # the rest of the ledger is more than is sent ahead
        topic.send(LEDGER - 2 - 12, size=4_000_000)
    else:
        check = _behind(topic)
        topic.send(5 * LEDGER, size=1_000_000)
    topic.broker.expire(topic.name)
    topic.send(5)
    check.process.thaw()
    assert plain(check.wait_entries(len(topic.sent))) == topic.sent
    assert not check.failures()
    assert "moves readers that are further back than a message TTL" in check.text()
    check.process.end()


def test_messages_past_their_time_to_live_that_are_deleted_are_an_error(topic: Topic) -> None:
    check = _behind(topic)
    topic.send(3 * LEDGER, size=1_000_000)
    topic.broker.expire(topic.name)
    topic.broker.truncate(topic.name)
    held = topic.send(5)
    check.process.thaw()
    assert check.wait_end() == 1
    read = plain(check.entries())
    assert read == topic.sent[: len(read)]
    failure = check.wait_failure()
    assert failure.gone and held[0].id in failure.error


def test_goes_on_when_what_it_has_read_is_deleted(topic: Topic) -> None:
    check = topic.check("--from", "earliest", "--verbose")
    topic.send(LEDGER + 3)
    check.wait_entries(LEDGER + 3)
    at_end = f"topic {topic.name}: nothing comes after {topic.sent[-1].id}"
    until("it knows that nothing comes", lambda: at_end in check.text())
    topic.broker.truncate(topic.name)
    topic.send(LEDGER + 3)
    assert plain(check.wait_entries(len(topic.sent))) == topic.sent
    check.process.end()
    assert not any(failure.gone for failure in check.failures())


@pytest.mark.parametrize("trouble", ["unload", "kill"])
def test_goes_on_after_the_broker_did(topic: Topic, trouble: str) -> None:
    check = topic.check("--from", "earliest")
    for _ in range(2):
        topic.send(LEDGER + 7)
        check.wait_entries(len(topic.sent) - 10)
        if trouble == "unload":
            topic.broker.unload(topic.name)
        else:
            topic.broker.kill()
            failure = check.wait_failure()  # says so while it waits
            assert failure.retry and topic.broker.address in failure.error, failure
            topic.broker.start()
    topic.send(LEDGER + 7)
    assert plain(check.wait_entries(len(topic.sent))) == topic.sent
    check.process.end()
    assert len(check.entries()) == len(topic.sent)


def test_a_silent_broker_is_an_error_that_passes(topic: Topic) -> None:
    topic.send(5)
    check = topic.check("--from", "earliest")
    check.wait_entries(5)
    topic.broker.freeze()
    try:
        failure = check.wait_failure(30)
    finally:
        topic.broker.thaw()
    assert failure.retry and not failure.gone
    topic.send(5)
    assert plain(check.wait_entries(10)) == topic.sent


def test_a_wrong_token_is_said_and_not_shown(topic: Topic) -> None:
    topic.send(1)
    wrong = token("cdc", secret=b"another secret")
    check = topic.check("--from", "earliest", "--verbose", shown=wrong)
    failure = check.wait_failure()
    assert failure.retry  # the broker may be told of it
    assert "check authPlugin and authParams" in failure.error
    assert topic.broker.address in failure.error
    assert wrong not in check.text()
    check.process.end()


def test_a_namespace_that_is_missing_is_said(topic: Topic) -> None:
    check = topic.check("--from", "earliest", "--namespace", "nowhere")
    failure = check.wait_failure()
    assert failure.retry
    assert f"persistent://{TENANT}/nowhere/{topic.name}: there is no such topic" in failure.error
    check.process.end()


def test_a_broker_that_is_not_there_is_said(topic: Topic) -> None:
    check = topic.check("--from", "earliest", "--pulsar", "127.0.0.1:1")
    failure = check.wait_failure()
    assert failure.retry
    assert "pulsar://127.0.0.1:1" in failure.error and "Connection refused" in failure.error
    check.process.end()


def test_messages_of_the_streaming_format_are_marked(topic: Topic) -> None:
    topic.send(1)
    topic.producer.send(b"of Milvus 2.6", properties={"_v": "1"})
    topic.producer.send(b"of none", properties={"_v": "0"})
    topic.send_batch(3)
    check = topic.check("--from", "earliest")
    marks = [entry.streaming for entry in check.wait_entries(6)]
    assert marks == [False, True, False, True, True, True]
    check.process.end()


@pytest.mark.parametrize("how", ["end", "kill"])
def test_no_subscription_is_left(topic: Topic, how: str) -> None:
    topic.send(3)
    check = topic.check("--from", "earliest")
    check.wait_entries(3)
    assert len(topic.broker.subscriptions(topic.name)) == 1
    stop: Callable[[], object] = check.process.kill if how == "kill" else check.process.end
    stop()
    until("no subscription is left", lambda: not topic.broker.subscriptions(topic.name))
