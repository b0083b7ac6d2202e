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
SECRETS = os.environ["CDC_SECRETS"].split(",")
PLANTED = SECRETS[0]
TASKS = os.environ["CDC_TASKS"].split(",")
KEPT = 2  # the first tasks are never deleted
NOBODY = "127.0.0.1:9"

_creates = itertools.count()
_paths = itertools.count()


def _aim(body: dict[str, Any]) -> None:
    """Gives a create request one of four targets; one of a wrong type stays as it is."""
    param = body.get("milvus_connect_param")
    if not isinstance(param, dict) or not isinstance(param.get("uri"), str | None):
        return
    secret: dict[str, str | None] = {"token": None, "username": None, "password": None}
    uri = f"http://{NOBODY}"
    number = next(_creates)
    match number % 4:
        case 0 if number % 8 == 0:  # what can be created, whatever else was generated
            infos = [{"name": f"generated_{number}_*"}]
            body.clear()
            body |= {"blackhole_connect_param": {}, "collection_infos": infos}
            return
        case 0:
            del body["milvus_connect_param"]
            body.pop("kafka_connect_param", None)
            body["blackhole_connect_param"] = {}
        case 1:
            secret["token"] = f"root:{PLANTED}"
        case 2:
            secret |= {"username": "root", "password": PLANTED}
        case 3:
            uri = f"http://root:{PLANTED}@{NOBODY}"
    wait = param.get("connect_timeout")
    if wait is None or (isinstance(wait, int) and wait > 1):  # nobody will answer
        param["connect_timeout"] = 1
    param |= secret | {"uri": uri}


def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if isinstance(case.body, dict):
        _aim(case.body)
    if case.path_parameters and (turn := next(_paths)) % 2 == 0:
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
