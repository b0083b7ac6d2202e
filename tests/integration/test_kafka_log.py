"""Kafka read as a log, below everything that knows of Milvus: order, places, what a broker does."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from lab.kafka import Kafka
from lab.kafka_pair import KafkaPair
from lab.log_check import LogCheck, Sent, plain
from lab.waiting import until

_numbers = itertools.count(1)

pytestmark = pytest.mark.xdist_group("kafka_log")


class Topic:
    """A topic of one test: written as Milvus does, read with log_check."""

    def __init__(self, broker: Kafka, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.name = f"log{next(_numbers)}"
        self.sent: list[Sent] = []
        self._checks: list[LogCheck] = []
        self.producer = Producer(
            {
                "bootstrap.servers": broker.address,
                "compression.codec": "zstd",
                "linger.ms": 2,
                "message.max.bytes": 10_485_760,
                "enable.idempotence": True,
            }
        )

    def send(self, count: int, size: int = 100, **headers: str) -> list[Sent]:
        """Each message is another one; returns those of this call."""
        for _ in range(count):
            number = len(self.sent)
            payload = (b"%09d," % number) * (size // 10)
            self.producer.produce(self.name, payload, partition=0, headers=dict(headers))
            self.sent.append(Sent.of(number, payload))
            self.producer.poll(0)
        assert self.producer.flush(90) == 0
        return self.sent[-count:]

    def check(self, *arguments: str) -> LogCheck:
        output = self.folder / f"check{next(_numbers)}.log"
        where = ["--kafka", self.broker.address, "--topic", self.name]
        check = LogCheck(output, [*where, *arguments])
        self._checks.append(check)
        return check

    def read(self, place: str, count: int) -> list[Sent]:
        check = self.check("--from", place, "--count", str(count))
        assert check.wait_end() == 0, check.text()
        return plain(check.entries())

    def close(self) -> None:
        for check in self._checks:
            check.process.kill()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, spare_ports: int) -> Iterator[Kafka]:
    broker = Kafka(tmp_path_factory.mktemp("kafka"), spare_ports)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def topic(broker: Kafka, tmp_path: Path) -> Iterator[Topic]:
    if not broker.process.running:  # a test before may have left it dead
        broker.start()
    topic = Topic(broker, tmp_path)
    yield topic
    topic.close()


def test_reads_in_order_from_every_place(topic: Topic) -> None:
    for size in itertools.islice(itertools.cycle([100, 65_536, 10, 3_000_000, 4_900_000]), 33):
        topic.send(1, size)
    sent = topic.sent
    assert topic.read("earliest", len(sent)) == sent
    for first in (0, 7, len(sent) - 1):
        assert topic.read(f"at {first}", len(sent) - first) == sent[first:]
    for first in (0, 7, len(sent) - 2):
        assert topic.read(f"after {first}", len(sent) - first - 1) == sent[first + 1 :]


def test_a_backlog_larger_than_all_buffers_is_read_in_order(topic: Topic) -> None:
    topic.send(100_000, size=200)
    topic.send(400, size=65_536)
    assert topic.read("earliest", len(topic.sent)) == topic.sent


def test_follows_the_end(topic: Topic) -> None:
    topic.send(3)
    check = topic.check("--from", "after 1")
    check.wait_entries(1)
    for _ in range(20):
        topic.send(5)
        check.wait_entries(len(topic.sent) - 2)
    assert plain(check.entries()) == topic.sent[2:]
    check.process.kill()


def test_latest_and_held(topic: Topic) -> None:
    missing = topic.check("--latest")
    assert missing.wait_end() == 0
    assert missing.answers() == {topic.name: {"latest": "earliest"}}
    topic.send(10)
    latest = topic.check("--latest")
    assert latest.wait_end() == 0
    assert latest.answers() == {topic.name: {"latest": "after 9"}}
    held = topic.check("--held", "at 4")
    assert held.wait_end() == 0
    assert held.answers()[topic.name]["oldest"] == "0"
    topic.broker.truncate(topic.name)
    topic.send(2)
    # What is to be read next is there, and the place itself need not be.
    assert topic.read("after 9", 2) == topic.sent[10:]
    for place in ("at 9", "after 8", "at 14"):
        gone = topic.check("--held", place)
        assert gone.wait_end() == 1
        failure = gone.failures()[-1]
        assert failure.gone and f"cannot read {place}" in failure.error
        assert "the oldest message held is 10" in failure.error


def test_a_deleted_place_is_an_error_and_never_a_jump(topic: Topic) -> None:
    topic.send(20)
    topic.broker.truncate(topic.name)
    topic.send(5)
    for place in ("at 3", "after 12", "at 99"):
        check = topic.check("--from", place, "--count", "1")
        assert check.wait_end() == 1
        failure = check.failures()[-1]
        assert failure.gone and not failure.retry and not check.entries()
        assert topic.name in failure.error and f"cannot read {place}" in failure.error
        assert "the oldest message held is 20" in failure.error
    assert topic.read("earliest", 5) == topic.sent[20:]


def test_a_slow_reader_that_retention_overtakes_is_told(topic: Topic) -> None:
    topic.send(3)
    check = topic.check("--from", "earliest")
    check.wait_entries(3)
    check.process.freeze()
    topic.send(200, size=65_536)  # more than is under way to it
    topic.broker.truncate(topic.name)
    topic.send(3)
    check.process.thaw()
    assert check.wait_end() == 1
    entries = plain(check.entries())
    assert 3 <= len(entries) < 203
    assert entries == topic.sent[: len(entries)]  # up to the gap and not past it
    failure = check.failures()[-1]
    assert failure.gone and not failure.retry
    assert f"cannot read after {entries[-1].id}: " in failure.error
    assert "the oldest message held is 203" in failure.error


@pytest.mark.parametrize("what", ["killed", "frozen"])
def test_goes_on_by_itself_after_the_broker(topic: Topic, what: str) -> None:
    topic.send(50)
    check = topic.check("--from", "earliest", "--property", "socket.timeout.ms=2000")
    check.wait_entries(50)
    if what == "killed":
        topic.broker.kill()
        failure = check.wait_failure(30)
        topic.broker.start()
    else:
        topic.broker.freeze()
        failure = check.wait_failure(30)
        topic.broker.thaw()
    assert failure.retry and not failure.gone
    assert topic.broker.address in failure.error
    topic.send(50)
    check.wait_entries(100)
    assert plain(check.entries()) == topic.sent
    check.process.kill()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, spare_ports: int) -> Iterator[KafkaPair]:
    pair = KafkaPair(tmp_path_factory.mktemp("pair"), spare_ports + 10, spare_ports + 20)
    pair.start()
    yield pair
    pair.kill()


@contextlib.contextmanager
def _written(topic: Topic) -> Iterator[Callable[[], None]]:
    """It is written all the time; what this gives waits until it has been written on."""
    end = threading.Event()

    def write() -> None:
        while not end.wait(0.01):  # no faster than that
            topic.send(1, size=1_000)

    def written_on() -> None:
        enough = len(topic.sent) + 50
        until("it is written on", lambda: len(topic.sent) >= enough, 60)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            written_on()
            yield written_on
        finally:
            end.set()
        writing.result()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_goes_on_when_the_leader_moves(pair: KafkaPair, tmp_path: Path, how: str) -> None:
    """Away from a node that ends, and back to it by an election, while it is written and read."""
    topic = Topic(pair, tmp_path)
    try:
        pair.create(topic.name, leader=2)
        check = topic.check("--from", "earliest")
        with _written(topic) as written_on:
            for _ in range(2):
                if how == "killed":
                    pair.second.kill()
                else:
                    pair.second.stop()
                pair.wait_led(topic.name, 1)
                written_on()
                pair.second.start()
                pair.prefer()
                pair.wait_led(topic.name, 2)
                written_on()
        check.wait_entries(len(topic.sent))
        assert plain(check.entries()) == topic.sent
        assert not any(failure.gone for failure in check.failures())
        assert topic.read("earliest", len(topic.sent)) == topic.sent  # by one that saw no move
    finally:
        topic.close()


def test_a_topic_that_is_not_there_yet_is_empty(topic: Topic) -> None:
    check = topic.check("--from", "earliest", "--verbose")
    until("it asks for the topic", lambda: "is read from" in check.text(), 20)
    topic.send(3)
    assert plain(check.wait_entries(3)) == topic.sent
    check.process.kill()


@pytest.mark.parametrize("messages", [0, 50])
def test_a_quiet_topic_is_waited_for_without_work(topic: Topic, messages: int) -> None:
    """librdkafka is told to look again when a queue was full: not over and over."""
    if messages:
        topic.send(messages)
    check = topic.check("--from", "earliest", "--verbose")
    until("it reads the topic", lambda: "is read from" in check.text(), 20)
    if messages:
        check.wait_entries(messages)
    before = check.process.cpu_seconds
    time.sleep(3)  # the quiet itself, not a wait for something
    assert check.process.cpu_seconds - before < 0.5
    check.process.kill()


def test_messages_of_the_streaming_service_are_marked(topic: Topic) -> None:
    topic.send(1, _v="2")
    topic.send(1, _v="0")
    topic.send(1, msg_type="Insert")
    check = topic.check("--from", "earliest", "--count", "3")
    assert check.wait_end() == 0
    assert [entry.streaming for entry in check.entries()] == [True, False, False]


def test_two_readers_of_one_topic_and_no_group(topic: Topic) -> None:
    topic.send(10)
    checks = [topic.check("--from", "earliest") for _ in range(2)]
    for check in checks:
        assert plain(check.wait_entries(10)) == topic.sent
        check.process.kill()
    assert not topic.broker.consumer_groups()


def test_a_property_that_librdkafka_does_not_know(topic: Topic) -> None:
    check = topic.check("--property", "sasl.pasword=sesame", "--latest")
    assert check.wait_end() == 1
    failure = check.failures()[-1]
    assert not failure.retry and "sasl.pasword" in failure.error
    assert "sesame" not in check.text()
