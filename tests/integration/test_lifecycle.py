"""Pause, resume, delete, and the ends and beginnings of the server process."""

from __future__ import annotations

import pytest

from lab.cdc_server import CdcError
from lab.planted import TARGET_TOKEN
from lab.waiting import until
from tests.integration.scenario import BOTH_MODES, EVERYWHERE, Scenario


@pytest.mark.core
@EVERYWHERE
def test_pause_and_resume(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(30)
    scenario.assert_equal(seeded)
    task.pause()
    assert task.get()["state"] == "Paused"
    before = scenario.target.client.collections()
    seeded.delete(keys[:10])
    seeded.insert(20)
    later = scenario.seed("later")
    later.insert(5)
    assert scenario.target.client.collections() == before
    task.resume()
    assert task.get()["state"] == "Running"
    scenario.assert_equal(seeded, later)


@pytest.mark.xdist_group("replicate")
def test_pause_twice_and_resume_twice_are_refused(scenario: Scenario) -> None:
    task = scenario.start_task()
    with pytest.raises(CdcError, match="running"):
        task.resume()
    task.pause()
    with pytest.raises(CdcError, match="paused"):
        task.pause()


@pytest.mark.core
@EVERYWHERE
def test_running_task_continues_after_a_restart(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(40)
    scenario.assert_equal(seeded)
    seconds = scenario.cdc.terminate()
    assert seconds < 5, f"SIGTERM took {seconds:.1f} s"
    seeded.delete(keys[:10])
    seeded.upsert(keys[10:20])
    seeded.insert(40)
    scenario.cdc.start()
    scenario.assert_equal(seeded)
    scenario.assert_healthy()


@BOTH_MODES
def test_sigterm_while_rows_are_on_their_way(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    for _ in range(4):
        keys = seeded.insert(200)
        seeded.delete(keys[:50])
        assert scenario.cdc.terminate() < 5
        scenario.cdc.start()
    scenario.assert_equal(seeded)


@pytest.mark.core
@BOTH_MODES
def test_kill_9_while_rows_are_on_their_way(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    for _ in range(4):
        keys = seeded.insert(200)
        seeded.upsert(keys[:50])
        scenario.cdc.restart(hard=True)
    scenario.assert_equal(seeded)
    scenario.assert_healthy()


@BOTH_MODES
def test_paused_task_stays_paused_over_a_restart(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    task.pause()
    scenario.cdc.restart()
    assert task.get()["state"] == "Paused"
    seeded.insert(10)
    scenario.cdc.restart(hard=True)
    assert task.get()["state"] == "Paused"
    task.resume()
    scenario.assert_equal(seeded)


@BOTH_MODES
def test_delete_keeps_the_copy_and_a_new_task_may_adopt_it(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    task.delete()
    with pytest.raises(CdcError, match=task.task_id):
        task.get()
    with pytest.raises(CdcError, match="not found"):
        task.delete()
    assert scenario.target.client.exists("default", seeded.name)
    scenario.start_task(adopt=True)
    seeded.insert(10)
    scenario.assert_equal(seeded)


@pytest.mark.xdist_group("replicate")
def test_get_and_list(scenario: Scenario) -> None:
    wanted = scenario.name("id")
    param = scenario.target.connect_param() | {"token": TARGET_TOKEN}
    task = scenario.start_task(task_id=wanted, milvus_connect_param=param)
    assert task.task_id == wanted
    described = task.get()
    assert described["task_id"] == wanted
    assert described["state"] == "Running"
    assert described["mode"] == "replicate" and described["mode_reason"]
    assert described["db_collections"]
    assert wanted in [listed["task_id"] for listed in scenario.cdc.tasks()]


@EVERYWHERE
def test_mode_auto_says_what_it_chose_and_why(scenario: Scenario) -> None:
    param = scenario.target.connect_param("auto")
    task = scenario.start_task(milvus_connect_param=param)
    wanted = "replicate" if scenario.target.mode == "replicate" else "api"
    described = task.get()
    assert described["mode"] == wanted
    assert len(described["mode_reason"]) > 10
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)


@pytest.mark.xdist_group("replicate")
def test_blackhole(scenario: Scenario) -> None:
    task = scenario.start_task(milvus_connect_param=None, blackhole_connect_param={})
    seeded = scenario.seed(load=False)
    keys = seeded.insert(100)
    seeded.delete(keys[:7])
    task.wait_safe(seeded.last_ts)
    assert task.get()["mode"] == "blackhole"
    progress = task.progress()
    assert (progress["rows_inserted"], progress["rows_deleted"]) == (100, 7)


@BOTH_MODES
def test_progress_counts_rows_and_lag_comes_back_to_zero(scenario: Scenario) -> None:
    task = scenario.start_task()
    seeded = scenario.seed()
    keys = seeded.insert(50)
    seeded.delete(keys[:9])
    scenario.assert_equal(seeded)
    progress = task.progress()
    assert progress["rows_inserted"] >= 50
    assert progress["rows_deleted"] >= 9
    assert progress["safe_time_ms"] == int(progress["safe_ts"]) >> 18
    until("an idle task has no lag to speak of", lambda: task.progress()["lag_ms"] < 2000)
