"""Targets that speak TLS: real servers with `common.security.tlsMode` 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.cdc_server import CdcError
from lab.certificates import Certificates, make_certificates
from lab.client import Client
from lab.comparer import API
from lab.milvus import Milvus
from lab.stack import Stack, Target
from tests.integration.scenario import Scenario

pytestmark = [pytest.mark.logs("rocksmq"), pytest.mark.xdist_group("api")]

Dial = dict[str, str]


@dataclass
class TlsTarget(Target):
    made: Certificates
    strangers: Certificates  # of another authority
    dial: Dial  # what is right

    def connect_param(self, mode: str | None = None) -> dict[str, Any]:
        return super().connect_param(mode) | {"uri": self.client.uri, "dial_config": self.dial}


def one_way(made: Certificates) -> Dial:
    return {"server_pem_path": str(made.ca), "server_name": "localhost"}


def mutual(made: Certificates) -> Dial:
    return {
        "ca_pem_path": str(made.ca),
        "client_pem_path": str(made.client),
        "client_key_path": str(made.client_key),
        "server_name": "localhost",
    }


@pytest.fixture(scope="module", params=["one_way", "mutual"])
def target(
    request: pytest.FixtureRequest,
    stack: Stack,
    second_ports: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TlsTarget]:
    """Takes the place of the one that all share."""
    mode = str(request.param)
    folder = tmp_path_factory.mktemp(mode)
    made = make_certificates(folder / "pem")
    environment = {
        "COMMON_SECURITY_TLSMODE": "2" if mode == "mutual" else "1",
        "TLS_SERVERPEMPATH": str(made.server),
        "TLS_SERVERKEYPATH": str(made.server_key),
        "TLS_CAPEMPATH": str(made.ca),
    }
    server = Milvus(f"tls-{mode}", folder, stack.etcd, second_ports, extra_env=environment)
    # pymilvus calls the same things by the same names.
    dial = mutual(made) if mode == "mutual" else one_way(made)
    client = Client(f"https://{server.address}", mode, tls=dial)
    try:
        strangers = make_certificates(folder / "strangers")
        yield TlsTarget(mode, server.start(), client, API, made, strangers, dial)
    finally:
        client.close()
        server.kill()
        stack.etcd.delete_prefix(f"{server.name}/")


def test_rows_are_copied(scenario: Scenario) -> None:
    seeded = scenario.assert_replicates()
    keys = seeded.insert(20)
    scenario.target.server.restart(hard=True)
    seeded.delete(keys[:10])
    scenario.assert_equal(seeded, timeout=90)
    scenario.running.wait_health("ok")


def _assert_refused(scenario: Scenario, words: str, **changes: Any) -> None:
    """With these changes create and preflight name the address and say what is wrong with TLS."""
    param = scenario.target.connect_param() | {"connect_timeout": 1} | changes
    request = scenario.request(milvus_connect_param=param)
    before = [task["task_id"] for task in scenario.cdc.tasks()]
    with pytest.raises(CdcError) as refused:
        scenario.cdc.create(**request)
    assert [task["task_id"] for task in scenario.cdc.tasks()] == before
    found = scenario.cdc.call("POST", "/api/v1/preflight", request).json()["findings"]
    errors = [finding for finding in found if finding["severity"] == "error"]
    assert [error["check"] for error in errors] == ["target.reachable"], found
    for said in (refused.value.message, " ".join(map(str, errors[0].values()))):
        assert words in said and scenario.target.server.address in said, said


def test_a_certificate_of_another_authority_is_refused(
    scenario: Scenario, target: TlsTarget
) -> None:
    theirs = target.dial | {
        "server_pem_path" if target.mode == "one_way" else "ca_pem_path": str(target.strangers.ca)
    }
    _assert_refused(scenario, "certificate verify failed", dial_config=theirs)
    _assert_refused(scenario, "certificate verify failed", dial_config={})  # the system's


def test_a_certificate_of_another_name_is_refused(scenario: Scenario, target: TlsTarget) -> None:
    words = "elsewhere is not in peer certificate"
    _assert_refused(scenario, words, dial_config=target.dial | {"server_name": "elsewhere"})


@pytest.mark.parametrize("target", ["mutual"], indirect=True)  # the other one asks for none
def test_a_client_without_a_right_certificate_is_told_so(
    scenario: Scenario, target: TlsTarget
) -> None:
    _assert_refused(scenario, "client certificate", dial_config=one_way(target.made))
    stranger = {
        "client_pem_path": str(target.strangers.client),
        "client_key_path": str(target.strangers.client_key),
    }
    _assert_refused(scenario, "client certificate", dial_config=target.dial | stranger)


def test_plain_text_is_refused(scenario: Scenario, target: TlsTarget) -> None:
    plain = f"http://{target.server.address}"
    _assert_refused(scenario, f"cannot reach Milvus at {plain}", uri=plain, dial_config={})
