"""What is shipped for Prometheus and Grafana, by the judgement of Prometheus' own tool."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from lab.places import ROOT, promtool
from tests.integration.scenario import Scenario

OPERATIONS = ROOT / "docs" / "operations"
# The Go Milvus-CDC's names, kept for the dashboards that know them: counters without _total.
KEPT_NAMES = {"milvus_cdc_replicate_data_cnt", "milvus_cdc_replicate_data_size"}
# A new Grafana's defaults of what a dashboard's expression may name.
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$task_id": ".*"}


def _promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(promtool()), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True)


def test_alerts_say_what_they_should_and_when() -> None:
    checked = _promtool("check", "rules", OPERATIONS / "alerts.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = _promtool("test", "rules", Path(__file__).with_name("alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    dashboard = json.loads((OPERATIONS / "grafana-dashboard.json").read_text())
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    for variable, value in VARIABLES.items():
        expressions = [one.replace(variable, value) for one in expressions]
    assert len(expressions) > 10
    assert not [one for one in expressions if "$" in one]
    rules = [{"record": f"panel:{i}", "expr": one} for i, one in enumerate(expressions)]
    file = tmp_path / "rules.json"  # YAML is a superset of JSON
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = _promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.logs("rocksmq")
@pytest.mark.xdist_group("replicate")
def test_metrics_are_as_prometheus_wants_them(scenario: Scenario) -> None:
    scenario.start_task()
    seeded = scenario.seed()
    seeded.insert(10)
    scenario.assert_equal(seeded)
    text = scenario.cdc.metrics()
    checked = _promtool("check", "metrics", stdin=text)
    complaints = [one for one in checked.stderr.splitlines() if one]
    names = {one.split()[0] for one in complaints}
    assert names == KEPT_NAMES, checked.stderr
    assert all(re.search('counter metrics should have "_total" suffix', one) for one in complaints)
