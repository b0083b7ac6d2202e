"""What schemathesis, in an environment of its own, does around each request of test_api_v1.py.

No generated address is ever called: a target becomes a port of this host where nobody listens, or
no server at all. Secrets are planted into the requests, known tasks into the paths, and what came
of each request is written down. The places come by environment variables.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import schemathesis

ANSWERS = Path(os.environ["CDC_ANSWERS"])
PLANTED = os.environ["CDC_PLANTED"]
SECRETS: list[str] = json.loads(os.environ["CDC_SECRETS"])
TASKS = os.environ["CDC_TASKS"].split(",")
MOST = 2**31 - 1  # of an integer; larger ones are refused
LEVELS = ("debug", "info", "warn", "error")
KEPT = 2  # the first tasks are never deleted
NOBODY = "127.0.0.1:9"

_creates = itertools.count()
_paths = itertools.count()


def _make_creatable(body: dict[str, Any], number: int) -> None:
    """Whatever else was generated."""
    body.clear()
    body |= {
        "blackhole_connect_param": {},
        "collection_infos": [{"name": f"generated_{number}_*"}],
    }


def _aim(body: dict[str, Any], right: bool) -> None:
    """Gives a create request another target. What is wrong with it stays wrong."""
    param = body.get("milvus_connect_param")
    if not isinstance(param, dict) or not isinstance(param.get("uri"), str | None):
        return
    secret: dict[str, str | None] = {"token": None, "username": None, "password": None}
    uri = f"http://{NOBODY}"
    number = next(_creates)
    match number % 5:
        case 0 if right and number % 10 == 0:
            _make_creatable(body, number)
            return
        case 0 if right:
            del body["milvus_connect_param"]
            body.pop("kafka_connect_param", None)
            body["blackhole_connect_param"] = {}
        case 1:
            secret["token"] = f"root:{PLANTED}"
        case 2:
            secret |= {"username": "root", "password": PLANTED}
        case 3:
            uri = f"http://root:{PLANTED}@{NOBODY}"
        case 4:
            uri = f"http://{NOBODY}?token={PLANTED}"
    wait = param.get("connect_timeout")
    if wait is None or (isinstance(wait, int) and 1 < wait <= MOST):  # nobody will answer
        param["connect_timeout"] = 1
    param |= {k: v for k, v in secret.items() if isinstance(param.get(k), str | None)}
    param["uri"] = uri


def before_call(context: Any, case: Any, kwargs: Any) -> None:
    body, meta = case.body, case.meta
    right = meta is None or meta.generation.mode.is_positive
    stateful = meta is not None and meta.phase.name == "stateful"  # it takes ids out of answers
    if isinstance(body, dict) and body.get("level") in LEVELS:
        body["level"] = "debug"  # so that the log goes on to tell all
    elif isinstance(body, dict) and stateful and right and case.path == "/api/v1/tasks":
        _make_creatable(body, next(_creates))  # so that there is an id to go on with
    elif isinstance(body, dict):
        _aim(body, right)
    if not stateful and case.path_parameters and (turn := next(_paths)) % 2 == 0:
        known = TASKS[KEPT:] if case.method.upper() == "DELETE" else TASKS
        case.path_parameters["id"] = known[turn // 2 % len(known)]


def after_call(context: Any, case: Any, response: Any) -> None:
    sent = response.request.body or b""
    sent = sent if isinstance(sent, bytes) else str(sent).encode()
    got = response.content + repr(dict(response.headers)).encode()
    record = {
        "method": case.method.upper(),
        "path": case.path,
        "status": response.status_code,
        "planted": PLANTED.encode() in sent,
        "leaked": [n for n, secret in enumerate(SECRETS) if secret.encode() in got],
    }
    with ANSWERS.open("a") as file:
        file.write(json.dumps(record) + "\n")


schemathesis.hook(before_call)
schemathesis.hook(after_call)
