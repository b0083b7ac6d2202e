"""The source's etcd is suddenly another one: nothing is touched until a person says so."""

from __future__ import annotations

from lab.etcd import Etcd
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, Scenario


@BOTH_MODES
def test_another_etcd_changes_nothing(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(20)
    scenario.assert_equal(seeded)
    cdc, stack = scenario.cdc, scenario.stack
    empty = Etcd(stack.data / f"other-etcd-{seeded.name}", stack.base_port + 40)
    empty.start()
    try:
        cdc.terminate()
        cdc.start(cdc.configuration(etcd_address=empty.address))
        reason = task.wait_health("failed")
        assert "another one than before" in reason
        assert "accept_source: true" in reason
        assert scenario.target.client.exists("default", seeded.name)
        # Accepted: what it does not hold is kept, and the task says so.
        task.resume(accept_source=True)
        assert "without a mark" in task.wait_health("warning")
        assert scenario.target.client.exists("default", seeded.name)
    finally:
        cdc.process.end()
        empty.kill()
        cdc.start(cdc.configuration())
    # Back to the right one, which is another again.
    assert "another one than before" in task.wait_health("failed")
    task.resume(accept_source=True)
    until("it runs", lambda: task.get()["health"] == "ok")
    seeded.insert(5)
    scenario.assert_equal(seeded)
