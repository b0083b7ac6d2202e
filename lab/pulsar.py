"""Apache Pulsar standalone, one process with broker and bookie, from its jars."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pulsar

from lab import places
from lab.broker import JAVA, Broker, BrokerError
from lab.certificates import Certificates, make_certificates
from lab.waiting import until

TENANT, NAMESPACE = "public", "default"
# Offsets from the port of the plain listener. To connect to GATED is to be sent to the gate.
_WEB, _GATED, _BOOKIE, _GATE, _TLS = 1, 2, 3, 4, 5
_JOINS_OF_A_START = 8  # 4 were seen at each start but for those that went wrong, which had 200
_SECRET = b"the lab signs its tokens with it"
_OPENS = (
    "java.base/sun.net",
    "java.base/java.lang",
    "java.base/java.nio",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.platform",
    "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
)


def token(subject: str, secret: bytes = _SECRET) -> str:
    """A JSON web token for this role; with another secret the broker refuses it."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    signed = part(b'{"alg":"HS256"}') + "." + part(json.dumps({"sub": subject}).encode())
    return signed + "." + part(hmac.digest(secret, signed.encode(), hashlib.sha256))


class Pulsar(Broker):
    """Keeps everything until told otherwise. With `token` every client, Milvus too, must show one;
    with `tls` there is a second listener for milvus-cdc, and with `tls_certificate` it shows a
    certificate there instead of a token."""

    kind = "pulsar"
    securities = ("none", "token", "tls", "tls_token", "tls_certificate")

    def __init__(self, data: Path, port: int, security: str = "none") -> None:
        super().__init__(data, port, security)
        self._wants_to_know_who = security not in ("none", "tls")
        self.certificates: Certificates | None = None
        self.web_port = port + _WEB

    # --- the process --------------------------------------------------------------------------

    def wait(self) -> Self:
        """Killed while clients were busy, a standalone at times comes back with its bookie joining
        and leaving all the time, and then serves topics that nobody can read until they are
        unloaded (Pulsar issue 23654). An operator would restart it; so does the lab."""
        for _ in range(3):
            super().wait()
            if self._joins() <= _JOINS_OF_A_START:
                return self
            self.kill()
            self.launch()
        super().wait()
        return self

    def _joins(self) -> int:
        """How often clients of the bookkeeper have seen a bookie join since the start."""
        with self.process.log.open("rb") as log:
            log.seek(self._started_from)
            return log.read().count(b"Failed to resolve network location")

    def _ports(self) -> list[int]:
        return [self.port + offset for offset in (0, _WEB, _GATED, _BOOKIE, _TLS)]

    def _command(self) -> list[str]:
        log4j = self._write(
            "log4j2.properties",
            [
                "appender.out.type=Console",
                "appender.out.name=out",
                "appender.out.layout.type=PatternLayout",
                "appender.out.layout.pattern=[%d] %p %c{1}: %m%n",
                "rootLogger.level=warn",
                "rootLogger.appenderRef.out.ref=out",
            ],
        )
        config = self._write("standalone.conf", self._properties())
        memory = ["-Xms256m", "-Xmx768m", "-XX:MaxDirectMemorySize=512m"]
        opens = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS]
        jars = ["-cp", str(places.jars("pulsar") / "*"), f"-Dlog4j2.configurationFile={log4j}"]
        options = ["-c", str(config), "-a", "127.0.0.1", "-nfw", "-nss"]
        options += ["--metadata-dir", str(self.data / "metadata")]
        options += ["--bookkeeper-dir", str(self.data / "bookkeeper")]
        options += ["--bookkeeper-port", str(self.port + _BOOKIE)]
        starter = "org.apache.pulsar.PulsarStandaloneStarter"
        return [*JAVA, *memory, *opens, *jars, starter, *options]

    def _properties(self) -> list[str]:
        gated = f"127.0.0.1:{self.port + _GATED}"
        plain = f"pulsar://{self.address}"
        lines = [
            "clusterName=standalone",
            "bindAddress=127.0.0.1",
            f"brokerServicePort={self.port}",
            f"webServicePort={self.web_port}",
            "internalListenerName=plain",
            f"advertisedListeners=plain:{plain},gated:pulsar://127.0.0.1:{self.port + _GATE}",
            f"bindAddresses=gated:pulsar://{gated}",
            "brokerDeleteInactiveTopicsEnabled=false",
            "managedLedgerDefaultEnsembleSize=1",
            "managedLedgerDefaultWriteQuorum=1",
            "managedLedgerDefaultAckQuorum=1",
            "defaultRetentionTimeInMinutes=-1",
            "defaultRetentionSizeInMB=-1",
            "allowLoopback=true",
            # The page cache survives the end of the process, and no test takes the power away.
            "journalSyncData=false",
            "loadBalancerEnabled=false",
            "diskUsageThreshold=0.98",
            "diskUsageWarnThreshold=0.97",
            "maxMessageSize=5242880",
            "numIOThreads=2",
            "numHttpServerThreads=4",
            "numOrderedExecutorThreads=2",
            "managedLedgerCacheSizeMB=64",
            "dbStorage_writeCacheMaxSizeMb=64",
            "dbStorage_readAheadCacheMaxSizeMb=32",
            "dbStorage_rocksDB_blockCacheSize=33554432",
        ]
        if self._wants_to_know_who:
            lines += self._authentication()
        if self.security.startswith("tls"):
            lines += self._tls()
        return lines

    def _authentication(self) -> list[str]:
        parameters = json.dumps({"token": token("lab")})
        providers = ["Token", "Tls"] if self.security == "tls_certificate" else ["Token"]
        provider = "org.apache.pulsar.broker.authentication.AuthenticationProvider"
        return [
            "authenticationEnabled=true",
            f"authenticationProviders={','.join(provider + name for name in providers)}",
            f"tokenSecretKey=data:;base64,{base64.b64encode(_SECRET).decode()}",
            "brokerClientAuthenticationPlugin="
            "org.apache.pulsar.client.impl.auth.AuthenticationToken",
            f"brokerClientAuthenticationParameters={parameters}",
        ]

    def _tls(self) -> list[str]:
        if self.certificates is None:
            self.certificates = make_certificates(self.data / "certificates")
        secure = f"pulsar+ssl://127.0.0.1:{self.port + _TLS}"
        plain = f"plain:pulsar://{self.address}"
        return [
            f"brokerServicePortTls={self.port + _TLS}",
            f"advertisedListeners={plain},plain:{secure}",
            "bindAddresses=",
            f"tlsCertificateFilePath={self.certificates.server}",
            f"tlsKeyFilePath={self.certificates.server_key}",
            f"tlsTrustCertsFilePath={self.certificates.ca}",
        ]

    def _ready(self) -> bool:
        return f"{TENANT}/{NAMESPACE}" in self.admin("GET", f"namespaces/{TENANT}")

    # --- who uses it --------------------------------------------------------------------------

    @property
    def gate_ports(self) -> tuple[int, int]:
        return self.port + _GATE, self.port + _GATED

    def milvus_environment(self) -> dict[str, str]:
        environment = {
            "MQ_TYPE": "pulsar",
            "PULSAR_ADDRESS": f"pulsar://{self.address}",
            "PULSAR_WEBADDRESS": "127.0.0.1",
            "PULSAR_WEBPORT": str(self.web_port),
            "PULSAR_TENANT": TENANT,
            "PULSAR_NAMESPACE": NAMESPACE,
        }
        if self._wants_to_know_who:
            environment["PULSAR_AUTHPLUGIN"] = "token"
            environment["PULSAR_AUTHPARAMS"] = f"token:{token('milvus')}"
        return environment

    def source_config(self, *, gated: bool = False) -> str:
        scheme, offset = "pulsar", _GATE if gated else 0
        more = []
        if self.security in ("token", "tls_token"):
            more = ["  authPlugin: token", f"  authParams: token:{token('cdc')}"]
        if self.certificates is not None:
            scheme, offset = "pulsar+ssl", _TLS
            own = self.certificates
            more += [f"  tlsTrustCertsFilePath: {own.ca}"]
            if self.security == "tls_certificate":
                shown = f"tlsCertFile:{own.client},tlsKeyFile:{own.client_key}"
                more += ["  authPlugin: tls", f"  authParams: {shown}"]
        lines = [
            "pulsar:",
            f"  address: {scheme}://127.0.0.1:{self.port + offset}",
            "  webAddress: 127.0.0.1",
            f"  webPort: {self.web_port}",
            f"  tenant: {TENANT}",
            f"  namespace: {NAMESPACE}",
            f"  library: {places.libpulsar()}",
            *more,
        ]
        return "\n".join(f"  {line}" for line in lines)

    # --- its administration -------------------------------------------------------------------

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the REST interface; None for an empty answer."""
        url = f"http://127.0.0.1:{self.web_port}/admin/v2/{path}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, method=method)
        request.add_header("Content-Type", "application/json")
        if self._wants_to_know_who:
            request.add_header("Authorization", f"Bearer {token('lab')}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")
            raise BrokerError(f"{method} {path}: {error.code} {reason}") from None
        return json.loads(text) if text else None

    def _topic(self, method: str, topic: str, what: str, body: Any = None) -> Any:
        name = urllib.parse.quote(topic, safe="")
        return self.admin(method, f"persistent/{TENANT}/{NAMESPACE}/{name}/{what}", body)

    def unload(self, topic: str) -> None:
        """The broker lets go of the topic: every client must look it up and connect again."""
        self._topic("PUT", topic, "unload")

    def subscriptions(self, topic: str) -> dict[str, bool]:
        """Those of everybody, Milvus too; true for the durable ones, which outlive their client."""
        found = self._topic("GET", topic, "stats")["subscriptions"]
        return {name: bool(its["durable"]) for name, its in found.items()}

    def expire(self, topic: str) -> None:
        """Does to all readers what a message TTL does to those that are behind: moves them to the
        end of the topic, without a word and without deleting anything."""

        def moved() -> bool:
            end = self._end(topic)
            cursors = self._topic("GET", topic, "internalStats")["cursors"]
            assert cursors, "nobody reads"
            behind = [its["readPosition"] for its in cursors.values()]
            return all(tuple(map(int, at.split(":"))) > end for at in behind)

        def expired() -> bool:
            # Refused (409) when nothing is left to expire: look first.
            if not moved():
                self._topic("POST", topic, "all_subscription/expireMessages/1")
            return moved()

        until(f"readers of {topic} are moved to its end", expired, 30)

    def ledgers(self, topic: str) -> list[int]:
        """Those that the topic still has, oldest first; the last one is being written."""
        found = self._topic("GET", topic, "internalStats")["ledgers"]
        return [int(ledger["ledgerId"]) for ledger in found]

    # --- its topics ---------------------------------------------------------------------------

    def _client(self) -> pulsar.Client:
        shown = pulsar.AuthenticationToken(token("lab")) if self._wants_to_know_who else None
        return pulsar.Client(
            f"pulsar://{self.address}",
            authentication=shown,
            io_threads=1,
            message_listener_threads=1,
            operation_timeout_seconds=20,
            logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error),
        )

    def _full(self, topic: str) -> str:
        return f"persistent://{TENANT}/{NAMESPACE}/{topic}"

    def topics(self, prefix: str) -> list[str]:
        names = self.admin("GET", f"persistent/{TENANT}/{NAMESPACE}")
        short = (name.rpartition("/")[2] for name in names)
        return sorted(name for name in short if name.startswith(prefix))

    def payloads(self, topic: str) -> Iterator[bytes]:
        return (message.data() for message in self._messages(topic))

    def _messages(self, topic: str) -> Iterator[pulsar.Message]:
        end = self._end(topic)
        client = self._client()
        try:
            reader = client.create_reader(self._full(topic), pulsar.MessageId.earliest)
            while reader.has_message_available():
                message = reader.read_next(20_000)
                if _place(message.message_id()) > end:
                    return
                yield message
        finally:
            client.close()

    def repeat(self, topic: str, is_wanted: Callable[[bytes], bool]) -> None:
        wanted = [message for message in self._messages(topic) if is_wanted(message.data())]
        last = wanted[-1]
        client = self._client()
        try:
            producer = client.create_producer(self._full(topic), batching_enabled=False)
            producer.send(last.data(), last.properties(), last.partition_key() or None)
        finally:
            client.close()

    def _end(self, topic: str) -> tuple[int, int]:
        """Ledger and entry of the last message; an entry of -1 when there is none."""
        last = self._topic("GET", topic, "lastMessageId")
        return int(last["ledgerId"]), int(last["entryId"])

    def tail(self, topic: str) -> Iterator[bytes | None]:
        client = self._client()
        try:
            reader = client.create_reader(self._full(topic), pulsar.MessageId.latest)
            while True:
                try:
                    yield reader.read_next(50).data()
                except pulsar.Timeout:
                    yield None
        finally:
            with contextlib.suppress(pulsar.PulsarException):
                client.close()

    def cut(self, topic: str) -> Callable[[], object]:
        """A topic keeps the ledger that it writes, so it is made to begin a new one first."""
        before = set(self.ledgers(topic))
        self.unload(topic)
        self._begin_ledger(topic)
        return lambda: until(f"{topic} is truncated", lambda: self._truncated(topic, before), 30)

    def _truncated(self, topic: str, before: set[int]) -> bool:
        """Asks for it again: on a busy machine the ledger may not have been left at first."""
        try:
            self._topic("DELETE", topic, "truncate")
        except BrokerError as error:
            # The readers that come back just now have their cursors closed and opened.
            assert "Cursor was already closed" not in str(error), str(error)
            raise
        return not before & set(self.ledgers(topic))

    def _begin_ledger(self, topic: str) -> None:
        """Loads the topic again, which is all that it needs."""
        client = self._client()
        try:
            client.create_reader(self._full(topic), pulsar.MessageId.latest).close()
        finally:
            client.close()


def _place(message: pulsar.MessageId) -> tuple[int, int]:
    return message.ledger_id(), message.entry_id()
