"""Users, roles and grants of one Milvus that asks for passwords, by the calls of a client."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from lab.client import Client

AUTHORIZATION = {"COMMON_SECURITY_AUTHORIZATIONENABLED": "true"}  # of a Milvus
ROOT = "root:Milvus"
BUILT_IN = {"admin", "public"}


def encoded(password: str) -> str:
    """As clients send it."""
    return base64.b64encode(password.encode()).decode()


class Grant(NamedTuple):
    role: str
    object: str
    db: str
    name: str
    privilege: str


@dataclass(frozen=True)
class State:
    """All but what every Milvus has."""

    users: frozenset[str]
    roles: frozenset[str]
    bindings: frozenset[tuple[str, str]]
    grants: frozenset[Grant]


class Access:
    def __init__(self, client: Client) -> None:
        self.client = client

    def create_user(self, user: str, password: str) -> None:
        request = milvus_pb2.CreateCredentialRequest(username=user, password=encoded(password))
        self.client.call("CreateCredential", request)

    def drop_user(self, user: str) -> None:
        self.client.call("DeleteCredential", milvus_pb2.DeleteCredentialRequest(username=user))

    def create_role(self, role: str) -> None:
        entity = milvus_pb2.RoleEntity(name=role)
        self.client.call("CreateRole", milvus_pb2.CreateRoleRequest(entity=entity))

    def drop_role(self, role: str) -> None:
        self.client.call("DropRole", milvus_pb2.DropRoleRequest(role_name=role))

    def bind(self, user: str, role: str, *, away: bool = False) -> None:
        request = milvus_pb2.OperateUserRoleRequest(
            username=user, role_name=role, type=1 if away else 0
        )
        self.client.call("OperateUserRole", request)

    def grant(self, grant: Grant, *, away: bool = False) -> None:
        entity = milvus_pb2.GrantEntity(
            role=milvus_pb2.RoleEntity(name=grant.role),
            object=milvus_pb2.ObjectEntity(name=grant.object),
            object_name=grant.name,
            grantor=milvus_pb2.GrantorEntity(
                privilege=milvus_pb2.PrivilegeEntity(name=grant.privilege)
            ),
            db_name=grant.db,
        )
        request = milvus_pb2.OperatePrivilegeRequest(entity=entity, type=1 if away else 0)
        self.client.call("OperatePrivilege", request)

    def state(self, *databases: str) -> State:
        """The grants in these databases, and those for all of them."""
        request = milvus_pb2.SelectUserRequest(include_role_info=True)
        found: list[Any] = list(self.client.call("SelectUser", request).results)
        listed = self.client.call("SelectRole", milvus_pb2.SelectRoleRequest()).results
        roles = {result.role.name for result in listed} - BUILT_IN
        return State(
            frozenset(result.user.name for result in found) - {"root"},
            frozenset(roles),
            frozenset((r.user.name, role.name) for r in found for role in r.roles),
            frozenset(g for role in roles for db in ("*", *databases) for g in self._of(role, db)),
        )

    def _of(self, role: str, db: str) -> list[Grant]:
        entity = milvus_pb2.GrantEntity(role=milvus_pb2.RoleEntity(name=role), db_name=db)
        answer = self.client.call("SelectGrant", milvus_pb2.SelectGrantRequest(entity=entity))
        return [
            Grant(role, e.object.name, e.db_name, e.object_name, e.grantor.privilege.name)
            for e in answer.entities
        ]


def can_log_in(uri: str, user: str, password: str) -> bool:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    with grpc.insecure_channel(uri.removeprefix("http://")) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        try:
            request = milvus_pb2.GetVersionRequest()
            stub.GetVersion(request, timeout=10, metadata=[("authorization", token)])
        except grpc.RpcError as error:
            if "auth check failure" not in str(error):
                raise
            return False
    return True
