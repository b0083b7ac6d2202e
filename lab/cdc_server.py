"""The server under test as a process, and a client of its HTTP interface."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
import weakref
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Protocol

from lab import places, planted
from lab.broker import Broker
from lab.certificates import Certificates
from lab.etcd import Etcd
from lab.process import Process, require_free_ports
from lab.waiting import until


class CdcError(Exception):
    """The server answered a request with a code other than 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ServerDied(Exception):
    """milvus-cdc is gone although nobody ended it."""


@dataclass(frozen=True)
class Reply:
    """Any answer over HTTP."""

    status: int
    headers: dict[str, str]  # by name in lower case
    body: bytes

    @property
    def content_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    def json(self) -> Any:
        return json.loads(self.body)


class Source(Protocol):
    """What there is to know of a source in order to read it: of a Milvus, or of a recording."""

    @property
    def name(self) -> str: ...
    @property
    def etcd(self) -> Etcd: ...
    @property
    def rocksmq(self) -> Path: ...
    @property
    def broker(self) -> Broker | None: ...


class _ServerProcess(Process):
    """Its log is looked through for secrets: when it ends, for the files may be gone then, and
    whenever somebody asks for it."""

    def __init__(self, log: Path) -> None:
        super().__init__("milvus-cdc", log)
        self._seen = 0  # bytes of the log
        _all.add(self)

    def end(self, timeout: float = 20.0) -> float:
        took = super().end(timeout)
        self.look()
        return took

    def look(self) -> None:
        """At the whole lines written since the last time."""
        if not self.log.is_file():
            return
        with self.log.open("rb") as file:
            file.seek(self._seen)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._seen += len(new)
        planted.look(str(self.log), new.decode(errors="replace"))


_all: weakref.WeakSet[_ServerProcess] = weakref.WeakSet()


def look_for_secrets() -> None:
    """In what the servers that still run have written."""
    for process in list(_all):
        process.look()


_Answer = HTTPResponse | urllib.error.HTTPError


def _reply(status: int, headers: Message, body: bytes) -> Reply:
    return Reply(status, {name.lower(): value for name, value in headers.items()}, body)


class CdcServer:
    """milvus-cdc, reading one source Milvus. Its data folder, with a SQLite store unless told
    otherwise, survives a restart."""

    def __init__(self, data: Path, source: Source, port: int) -> None:
        self.data = data
        self.source = source
        self.port = port
        self.store = data / "store" / "cdc.db"
        self.url = f"http://127.0.0.1:{port}"
        self.process = _ServerProcess(data / "milvus-cdc.log")
        self.config = data / "cdc.yaml"
        self.wrapper: list[str] = []  # a command that runs it
        self.environment: dict[str, str] = {}
        self.token = ""  # what it asks its clients for; set both with secure()
        self.certificates: Certificates | None = None
        self._mutual = False

    def secure(
        self, token: str = "", certificates: Certificates | None = None, *, mutual: bool = False
    ) -> CdcServer:
        """From the next start on: a token is needed, TLS is spoken, with a client's certificate.

        The requests of this class comply.
        """
        self.token, self.certificates, self._mutual = token, certificates, mutual
        self.url = f"{'https' if certificates else 'http'}://127.0.0.1:{self.port}"
        return self

    def _security(self) -> str:
        """The section of that name in cdc.yaml."""
        lines = [f"  apiToken: {json.dumps(self.token)}"] if self.token else []
        if self.certificates:
            own = self.certificates
            lines += ["  tls:", f"    certFile: {own.server}", f"    keyFile: {own.server_key}"]
            lines += [f"    clientCaFile: {own.ca}"] if self._mutual else []
        return "\n".join(["security:", *lines, ""]) if lines else ""

    def configuration(self, **changes: str) -> str:
        """The text of cdc.yaml. Changes: etcd_address, root_path, rocksmq (its path), log (the
        lines about the source's log), meta_store (about its own store), extra (more lines)."""
        rocksmq = changes.get("rocksmq", self.source.rocksmq)
        log = f"  rocksmq:\n    path: {rocksmq}"
        if self.source.broker is not None:
            log = self.source.broker.source_config()
        etcd = changes.get("etcd_address", self.source.etcd.address)
        sqlite = f"  storeType: sqlite\n  sqlite:\n    path: {self.store}"
        return f"""\
address: 127.0.0.1:{self.port}
maxTaskNum: 100
logLevel: {changes.get("log_level", "info")}
metaStoreConfig:
{changes.get("meta_store", sqlite)}
sourceConfig:
  etcd:
    address: ["{etcd}"]
    rootPath: {changes.get("root_path", self.source.name)}
    metaSubPath: meta
  replicateChan: {self.source.name}-replicate-msg
{changes.get("log", log)}
  timeTickInterval: 500
{self._security()}{changes.get("extra", "")}"""

    def start(self, text: str | None = None) -> CdcServer:
        """Starts it with this configuration (default: a right one) and waits for /healthz."""
        self.launch(text)
        self.process.wait_ready("/healthz", self.healthy, 30)
        return self

    def launch(self, text: str | None = None) -> None:
        """Starts it and waits for nothing."""
        binary = places.cdc_binary()
        if not binary.is_file():
            raise FileNotFoundError(f"{binary} is missing: run ./x build first")
        require_free_ports([self.port], "milvus-cdc")
        self.store.parent.mkdir(parents=True, exist_ok=True)
        if text is not None or not self.config.is_file():
            self.config.write_text(text or self.configuration())
        command = [*self.wrapper, str(binary), "serve", "--config", str(self.config)]
        self.process.start(command, self.environment)

    def healthy(self) -> bool:
        with self._open(urllib.request.Request(f"{self.url}/healthz"), 2) as answer:
            return bool(answer.status == 200)

    def terminate(self) -> float:
        """SIGTERM; returns the seconds until it had ended by itself, or fails."""
        took = self.process.end(20)
        if self.process.exit_code not in (0,):
            raise AssertionError(
                f"milvus-cdc ended with {self.process.exit_code} after SIGTERM\n"
                + self.process.tail()
            )
        return took

    def kill(self) -> None:
        self.process.kill()

    def restart(self, *, hard: bool = False) -> None:
        if hard:
            self.kill()
        else:
            self.terminate()
        self.start()

    # --- HTTP ---------------------------------------------------------------------------------

    def _read(self, request: urllib.request.Request, answer: _Answer) -> bytes:
        body = answer.read()
        what = f"the answer to {request.get_method()} {request.selector}"
        planted.look(what, body.decode(errors="replace") + f"\n{answer.headers}")
        return body

    def _open(self, request: urllib.request.Request, timeout: float) -> HTTPResponse:
        """Sends it with the token and the certificate that the server asks for."""
        if self.token and not request.has_header("Authorization"):
            request.add_header("Authorization", f"Bearer {self.token}")
        context = None
        if self.certificates:
            context = ssl.create_default_context(cafile=str(self.certificates.ca))
            if self._mutual:
                own = self.certificates
                context.load_cert_chain(str(own.client), str(own.client_key))
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout, context=context)
        return answer

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """One request for this path; the body is sent as JSON unless it is bytes already.

        Any status is an answer. A header given here replaces the usual one.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = ({"Content-Type": "application/json"} if data is not None else {}) | (
            headers or {}
        )
        request = urllib.request.Request(f"{self.url}{path}", data, all_headers, method=method)
        try:
            with self._open(request, 60) as answer:
                return _reply(answer.status, answer.headers, self._read(request, answer))
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.headers, self._read(request, error))

    def post(self, body: bytes) -> dict[str, Any]:
        """Sends exactly these bytes to /cdc and returns the decoded answer, whatever its code."""
        if not self.process.running:
            raise ServerDied(
                f"milvus-cdc ended with {self.process.exit_code}; its log ends with\n"
                + self.process.tail(20)
            )
        request = urllib.request.Request(
            f"{self.url}/cdc", body, {"Content-Type": "application/json"}
        )
        with self._open(request, 60) as answer:
            decoded: dict[str, Any] = json.loads(self._read(request, answer))
        return decoded

    def request(self, kind: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; returns its data, raises CdcError for a code other than 200."""
        body = {"request_type": kind, "request_data": data or {}}
        answer = self.post(json.dumps(body).encode())
        if answer.get("code") != 200:
            raise CdcError(int(answer.get("code", -1)), str(answer.get("message", "")))
        result: dict[str, Any] = answer.get("data") or {}
        return result

    def metrics(self) -> str:
        request = urllib.request.Request(f"{self.url}/metrics")
        with self._open(request, 5) as answer:
            return self._read(request, answer).decode()

    def create(self, **request_data: Any) -> Task:
        return Task(self, str(self.request("create", request_data)["task_id"]))

    def create_fails(self, **request_data: Any) -> str:
        """The message of a refused create, or the complaint of the task that came of it."""
        try:
            task = self.create(**request_data)
        except CdcError as error:
            return error.message
        reason = task.wait_complaint()
        task.delete()
        return reason

    def tasks(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.request("list")["tasks"]
        return listed


class Task:
    """A handle on one replication task."""

    def __init__(self, server: CdcServer, task_id: str) -> None:
        self.server = server
        self.task_id = task_id

    def get(self) -> dict[str, Any]:
        task: dict[str, Any] = self.server.request("get", {"task_id": self.task_id})["task"]
        return task

    def pause(self) -> None:
        self.server.request("pause", {"task_id": self.task_id})

    def resume(self, **options: Any) -> None:
        self.server.request("resume", {"task_id": self.task_id, **options})

    def rewind(self, to_ms: int) -> None:
        """Sets the paused task back to a time of the source's clock, in Unix milliseconds."""
        self.server.request("position", {"task_id": self.task_id, "rewind_to_ms": to_ms})

    def delete(self) -> None:
        self.server.request("delete", {"task_id": self.task_id})

    def progress(self) -> dict[str, Any]:
        progress: dict[str, Any] = self.get()["progress"]
        return progress

    @property
    def safe_ts(self) -> int:
        return int(self.progress()["safe_ts"])

    @property
    def target_ts(self) -> int:
        return int(self.progress()["target_ts"])

    def wait_safe(self, source_ts: int, timeout: float = 60.0) -> int:
        """Waits until every source change up to `source_ts` is readable on the target.

        Returns the guarantee timestamp to read the target with. A failed task fails at once.
        """

        def reached() -> int:
            task = self.get()
            if task.get("health") == "failed" or task["state"] == "Paused":
                raise TaskStopped(f"the task is not running: {json.dumps(task, indent=1)}")
            progress = task["progress"]
            if int(progress["safe_ts"]) < source_ts:
                raise AssertionError(json.dumps(task, indent=1))
            return int(progress["target_ts"]) or 1

        return until(f"safe_ts of task {self.task_id} >= {source_ts}", reached, timeout)

    def wait_complaint(self, about: str = "", timeout: float = 60.0) -> str:
        """Waits until something is wrong, with `about` if given, and returns the reason."""

        def told() -> str:
            task = self.get()
            reason = str(task.get("health_reason", ""))
            assert task["health"] != "ok" and about in reason, json.dumps(task, indent=1)
            return reason

        return until(f"task {self.task_id} complains {about}", told, timeout)

    def wait_health(self, wanted: str, timeout: float = 60.0) -> str:
        """Waits until the health is `wanted` and returns the reason."""

        def seen() -> list[str]:
            task = self.get()
            if task["health"] != wanted:
                raise AssertionError(json.dumps(task, indent=1))
            return [str(task.get("health_reason", ""))]

        return until(f"task {self.task_id} is '{wanted}'", seen, timeout)[0]


class TaskStopped(Exception):
    """A task that should run is paused or failed; waiting longer is useless."""
