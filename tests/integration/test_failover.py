"""The rehearsed failover of docs/operations/failover.md, on servers of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.client import Client, ServerError
from lab.seeder import Seeded
from lab.stack import Stack
from lab.waiting import until

ROWS = 200


@pytest.fixture
def own(second_ports: int, log: str) -> Iterator[Stack]:
    stack = Stack(second_ports, log=log)
    try:
        yield stack.start(modes=("replicate",))
    finally:
        stack.stop()


def _moved(seeded: Seeded, client: Client) -> Seeded:
    """The same memory of what was written, now writing to the promoted server."""
    seeded.client = client
    return seeded


@pytest.mark.xdist_group("own")
def test_promoted_standby_takes_deletes_upserts_and_inserts(own: Stack) -> None:
    standby = own.targets["replicate"]
    own.cdc.start()
    task = own.cdc.create(
        milvus_connect_param=standby.connect_param("auto"),
        db_collections={"default": [{"name": "*"}]},
    )
    all_seeded = [
        Seeded.create(own.source_client, "one_shard", shards=1).index_and_load(),
        Seeded.create(own.source_client, "four_shards", shards=4).index_and_load(),
        Seeded.create(own.source_client, "text_keys", key="varchar", shards=2).index_and_load(),
        Seeded.create(own.source_client, "auto_ids", auto_id=True).index_and_load(),
    ]
    for seeded in all_seeded:
        keys = seeded.insert(ROWS)
        seeded.delete(keys[:20])
    with pytest.raises(Exception, match="deny to write"):
        standby.client.collection("default", "one_shard").insert([all_seeded[0].row(1)])
    for seeded in all_seeded:
        task.wait_safe(seeded.last_ts)
    _loaded(standby.client, all_seeded)

    own.source.kill()
    own.etcd.put("standby/config/common/ttMsgEnabled", "true")

    for seeded in all_seeded:
        _moved(seeded, standby.client)
        _takes_ordinary_writes(seeded)

    def says_promoted() -> bool:
        described = task.get()
        assert "promoted" in described.get("health_reason", "") + described.get("reason", "")
        return True

    until("the task says that the target was promoted", says_promoted, 60)
    counts = [standby.client.count("default", s.name) for s in all_seeded]
    own.cdc.restart()
    own.source.start()
    until("the restarted task says so too", says_promoted, 60)
    assert [standby.client.count("default", s.name) for s in all_seeded] == counts


def _loaded(client: Client, all_seeded: list[Seeded]) -> None:
    def loaded() -> bool:
        return all(client.load_state("default", s.name) == "Loaded" for s in all_seeded)

    until("all are loaded on the standby", loaded)


def _takes_ordinary_writes(seeded: Seeded) -> None:
    """Deletes and upserts old keys and inserts new rows; every one must take effect."""
    old = sorted(k for rows in seeded.live.values() for k in rows)

    def writable() -> bool:
        try:
            seeded.delete(old[:60])  # 60 of 180 keys: every shard has some
        except Exception as error:
            raise ServerError("delete", getattr(error, "code", -1), str(error)) from error
        return True

    until("the promoted server takes a delete", writable, 30)
    if not seeded.schema.auto_id:
        seeded.upsert(old[60:120])
    fresh = seeded.insert(50)
    assert not seeded.check_source()
    client, name = seeded.client, seeded.name
    assert client.rows("default", name, "id", old[:60]) == {}
    assert len(client.rows("default", name, "id", old[60:])) == len(old) - 60
    assert len(client.rows("default", name, "id", fresh)) == 50
