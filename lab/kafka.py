"""Apache Kafka, one node in KRaft mode, from its jars."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from lab import places
from lab.broker import JAVA, Broker, BrokerError
from lab.certificates import Certificates, make_certificates
from lab.planted import KAFKA_PASSWORD

USER = "cdc"
_CLUSTER = "bWlsdnVzLWNkYy1sYWItMA"
# Offsets from the port of the plain listener. To connect to GATED is to be sent to the gate.
_CONTROLLER, _GATED, _SECURE, _GATE = 1, 2, 3, 4
_STARTED = "Kafka Server started"
_WAIT = 20.0


class Kafka(Broker):
    """Has a plain listener for Milvus and, with `security`, one that only milvus-cdc uses: `tls`
    wants a certificate of it, `tls_scram` a user and password."""

    kind = "kafka"

    securities = ("none", "plain", "scram", "tls", "tls_scram")
    _MECHANISMS: ClassVar = {
        "plain": "PLAIN",
        "scram": "SCRAM-SHA-256",
        "tls_scram": "SCRAM-SHA-512",
    }

    def __init__(self, data: Path, port: int, security: str = "none") -> None:
        super().__init__(data, port, security)
        self.node = 1
        self.controller: Kafka = self
        self.copies = 1  # of each topic
        self.certificates: Certificates | None = None

    # --- the process --------------------------------------------------------------------------

    def _ports(self) -> list[int]:
        return [self.port + offset for offset in (0, _CONTROLLER, _GATED, _SECURE)]

    def _command(self) -> list[str]:
        log4j = self._write(
            "log4j.properties",
            [
                "log4j.rootLogger=WARN, out",
                "log4j.logger.kafka.server.KafkaRaftServer=INFO",
                "log4j.appender.out=org.apache.log4j.ConsoleAppender",
                "log4j.appender.out.layout=org.apache.log4j.PatternLayout",
                "log4j.appender.out.layout.ConversionPattern=[%d] %p %c: %m%n",
            ],
        )
        config = self._write("server.properties", self._properties())
        jars = ["-cp", str(places.jars("kafka") / "*"), f"-Dlog4j.configuration=file:{log4j}"]
        if not (self.data / "log" / "meta.properties").is_file():
            arguments = ["format", "-t", _CLUSTER, "-c", str(config)]
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                arguments += ["--add-scram", f"{mechanism}=[name={USER},password={KAFKA_PASSWORD}]"]
            tool = [*JAVA, *jars, "kafka.tools.StorageTool", *arguments]
            done = subprocess.run(tool, capture_output=True, text=True)
            if done.returncode != 0:
                raise BrokerError(f"cannot format Kafka's folder: {done.stdout}{done.stderr}")
        return [*JAVA, "-Xms128m", "-Xmx512m", *jars, "kafka.Kafka", str(config)]

    def _properties(self) -> list[str]:
        def at(offset: int) -> str:
            return f"127.0.0.1:{self.port + offset}"

        listeners = f"listeners=PLAIN://{at(0)},GATED://{at(_GATED)},SECURE://{at(_SECURE)}"
        if self.controller is self:
            listeners += f",CONTROLLER://{at(_CONTROLLER)}"
        lines = [
            f"process.roles=broker{',controller' if self.controller is self else ''}",
            f"node.id={self.node}",
            f"log.dirs={self.data / 'log'}",
            f"controller.quorum.voters=1@127.0.0.1:{self.controller.port + _CONTROLLER}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAIN",
            listeners,
            f"advertised.listeners=PLAIN://{at(0)},GATED://{at(_GATE)},SECURE://{at(_SECURE)}",
            "listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            f"GATED:PLAINTEXT,SECURE:{self._protocol}",
            "auto.create.topics.enable=true",
            "num.partitions=1",
            "message.max.bytes=16777216",
            "replica.fetch.max.bytes=16777216",
            "offsets.topic.num.partitions=1",
            f"default.replication.factor={self.copies}",
            f"offsets.topic.replication.factor={self.copies}",
            "transaction.state.log.num.partitions=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "auto.leader.rebalance.enable=false",  # tests move leaders themselves
            "group.initial.rebalance.delay.ms=0",
            "log.retention.ms=-1",
            "log.index.size.max.bytes=1048576",
            "num.network.threads=2",
            "num.io.threads=4",
            # A node killed and started again waits for its former self to be given up.
            "broker.heartbeat.interval.ms=500",
            "broker.session.timeout.ms=2000",
            # An idle node writes a record into its own log twice a second otherwise.
            "metadata.max.idle.interval.ms=10000",
        ]
        mechanism = self._MECHANISMS.get(self.security)
        if mechanism:
            lines += [f"sasl.enabled.mechanisms={mechanism}", self._jaas(mechanism)]
        if self.security.startswith("tls"):
            lines += self._tls()
        return lines

    @property
    def _protocol(self) -> str:
        """Of the listener for milvus-cdc."""
        if self.security == "none":
            return "PLAINTEXT"
        layer = "SSL" if self.security.startswith("tls") else "PLAINTEXT"
        return f"SASL_{layer}" if self.security in self._MECHANISMS else layer

    def _jaas(self, mechanism: str) -> str:
        key = f"listener.name.secure.{mechanism.lower()}.sasl.jaas.config"
        if mechanism == "PLAIN":
            module = "org.apache.kafka.common.security.plain.PlainLoginModule"
            return f'{key}={module} required user_{USER}="{KAFKA_PASSWORD}";'
        return f"{key}=org.apache.kafka.common.security.scram.ScramLoginModule required;"

    def _tls(self) -> list[str]:
        if self.certificates is None:
            self.certificates = make_certificates(self.data / "certificates")
        made = self.certificates
        wanted = "required" if self.security == "tls" else "none"
        both = made.server_key.read_text() + made.server.read_text()
        keystore = self._write("server-keystore.pem", [both])
        return [
            f"listener.name.secure.ssl.client.auth={wanted}",
            "listener.name.secure.ssl.keystore.type=PEM",
            f"listener.name.secure.ssl.keystore.location={keystore}",
            "listener.name.secure.ssl.truststore.type=PEM",
            f"listener.name.secure.ssl.truststore.location={made.ca}",
        ]

    def _ready(self) -> bool:
        return _STARTED in self.process.tail(1000, self._started_from)

    # --- who uses it --------------------------------------------------------------------------

    @property
    def gate_ports(self) -> tuple[int, int]:
        return self.port + _GATE, self.port + _GATED

    def milvus_environment(self) -> dict[str, str]:
        return {"MQ_TYPE": "kafka", "KAFKA_BROKERLIST": self.address}

    def source_config(self, *, gated: bool = False) -> str:
        offset = _GATE if gated else 0 if self.security == "none" else _SECURE
        lines = ["kafka:", f'  address: "127.0.0.1:{self.port + offset}"']
        if self.security != "none":
            lines += [f"  securityProtocol: {self._protocol}"]
        if self.security in self._MECHANISMS:
            lines += [
                f"  saslUsername: {USER}",
                f"  saslPassword: {KAFKA_PASSWORD}",
                f"  saslMechanisms: {self._MECHANISMS[self.security]}",
            ]
        if self.certificates is not None:
            lines += ["  consumer:", f"    ssl.ca.location: {self.certificates.ca}"]
        if self.certificates is not None and self.security == "tls":
            lines += [
                f"    ssl.certificate.location: {self.certificates.client}",
                f"    ssl.key.location: {self.certificates.client_key}",
            ]
        return "\n".join(f"  {line}" for line in lines)

    # --- its topics ---------------------------------------------------------------------------

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "lab",  # the client insists; nothing is ever committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "log_level": 3,
            }
        )

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 3})

    def topics(self, prefix: str) -> list[str]:
        try:
            found = self._admin().list_topics(timeout=_WAIT).topics
        except KafkaException as error:
            raise BrokerError(f"no list of topics: {error}") from None
        return sorted(name for name in found if name.startswith(prefix))

    def offsets(self, topic: str) -> tuple[int, int]:
        """The oldest offset that it holds, and the one that comes next."""
        consumer = self._consumer()
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_WAIT)
            return int(low), int(high)
        except KafkaException as error:
            raise BrokerError(f"no offsets of {topic}: {error}") from None
        finally:
            consumer.close()

    def payloads(self, topic: str) -> Iterator[bytes]:
        return (_value(message) for message in self._messages(topic))

    def _messages(self, topic: str) -> Iterator[Message]:
        low, high = self.offsets(topic)
        if low == high:
            return
        for message in self._from(topic, low):
            if message is None:
                continue
            yield message
            if message.offset() >= high - 1:
                return

    def repeat(self, topic: str, is_wanted: Callable[[bytes], bool]) -> None:
        wanted = [message for message in self._messages(topic) if is_wanted(_value(message))]
        last = wanted[-1]
        producer = Producer({"bootstrap.servers": self.address})
        producer.produce(topic, last.value(), last.key(), 0, headers=last.headers())
        if producer.flush(_WAIT):
            raise BrokerError(f"{topic} does not take a message")

    def tail(self, topic: str) -> Iterator[bytes | None]:
        for message in self._from(topic, self.offsets(topic)[1]):
            yield None if message is None else _value(message)

    def _from(self, topic: str, offset: int) -> Iterator[Message | None]:
        consumer = self._consumer()
        try:
            consumer.assign([TopicPartition(topic, 0, offset)])
            while True:
                message = consumer.poll(0.05)
                error = None if message is None else message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise BrokerError(f"reading {topic}: {error}")
                yield None if error is not None else message
        finally:
            consumer.close()

    def cut(self, topic: str) -> Callable[[], object]:
        end = TopicPartition(topic, 0, self.offsets(topic)[1])

        def remove() -> None:
            admin = self._admin()  # kept: without it its answers never come
            for done in admin.delete_records([end]).values():
                done.result(_WAIT)

        return remove

    def consumer_groups(self) -> list[str]:
        """All groups that the broker knows, of Milvus too."""
        admin = self._admin()
        found = admin.list_consumer_groups().result(_WAIT)
        return sorted(group.group_id for group in found.valid)


def _value(message: Message) -> bytes:
    value = message.value()
    return value if isinstance(value, bytes) else b""
