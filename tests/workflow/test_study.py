"""The packed study as the workflow's: it waits for every record that it holds."""

import json
from pathlib import Path

import pytest

from multitrain.planning.depends import settings
from multitrain.planning.plan import Plan
from tests.workflow.planned import snakemake

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_study_waits_for_all_runs_and_no_figure(tmp_path):
    out = tmp_path / "results" / "study.parquet"
    where = [f"results={out.parent}", f"data={tmp_path / 'data'}", "scale=ci", "seeds=[0,1]"]
    planned = snakemake(ROOT, "-n", str(out), "--config", *where)
    assert planned.returncode == 0, planned.stderr
    counts = dict(line.split() for line in planned.stdout.splitlines() if len(line.split()) == 2)
    plan = Plan.load({"scale": "ci", "seeds": [0, 1]}, str(ROOT / "config"))
    cells = plan.cells(plan.experiments.shown_runs())
    assert (counts["study"], counts["evaluate"], counts["survey"]) == ("1", str(len(cells)), "5")
    assert "claims" not in counts and not any(name.startswith("figure") for name in counts)
    assert json.loads(settings(plan, "study", {}))["project.seeds"] == [0, 1]
