"""The secrets that tests give to milvus-cdc, and the search for them in what comes out of it.

Every password, token and key of a test is one of these. lab/cdc_server.py looks through all that a
server logs and answers, lab/command_line.py through what a command prints; what they find makes the
test fail (tests/integration/conftest.py), which itself need not think of it.
"""

from __future__ import annotations

import base64

API_TOKEN = "planted-api-token"
WRONG_API_TOKEN = "planted-wrong-token"
TARGET_PASSWORD = "planted-target-password"
TARGET_TOKEN = f"root:{TARGET_PASSWORD}"
STORE_PASSWORD = "planted-store-password"
KAFKA_PASSWORD = "planted-kafka-password"
PASSPHRASE = "planted passphrase of a store"
WRONG_PASSPHRASE = "planted passphrase of no store"
# A Milvus wants some variety in a password.
TASK_PASSWORD = "Planted-of-the-task-1"
SOURCE_PASSWORD = "Planted-of-the-source-1"
USER_PASSWORD = "Planted-of-a-user-1"
CHANGED_PASSWORD = "Planted-of-a-user-2"
RECORDED_PASSWORDS = ("P@ssw0rd1", "N3wP@ssw0rd")  # of the user in the recording of a 2.5.15
HASH = "$2a$"  # any that Milvus keeps of a password begins so

_IN_CLEAR = (
    *(API_TOKEN, WRONG_API_TOKEN, TARGET_PASSWORD, STORE_PASSWORD, KAFKA_PASSWORD, PASSPHRASE),
    *(WRONG_PASSPHRASE, TASK_PASSWORD, SOURCE_PASSWORD, USER_PASSWORD, CHANGED_PASSWORD),
    *RECORDED_PASSWORDS,
)


def _in_base64(secret: str) -> str:
    """As clients of Milvus send a password; without the end, which depends on what follows."""
    return base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]


SECRETS = (
    *_IN_CLEAR,
    *map(_in_base64, _IN_CLEAR),
    _in_base64(TARGET_TOKEN),
    "eyJhbGciOi",  # any JSON web token begins so: {"alg":
    HASH,
    "PRIVATE KEY-----",
)

_found: list[str] = []


def look(where: str, text: str) -> None:
    """Remembers the lines that hold a secret."""
    if not any(secret in text for secret in SECRETS):
        return
    for line in text.splitlines():
        secrets = [secret for secret in SECRETS if secret in line]
        if secrets:
            _found.append(f"{where} holds {', '.join(secrets)}: {line[:400]}")


def take_found() -> list[str]:
    """What was found since the last call."""
    found = _found.copy()
    _found.clear()
    return found
