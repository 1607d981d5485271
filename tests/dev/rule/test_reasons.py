"""Reasons on made-up answers: supported, refuted and left open by the rule of docs/reference/design.md."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dev.rule import reasons
from dev.rule.planned_power import SETS
from dev.rule.reasons import ABOVE_VANILLA, IDLE, lines, verdict
from multitrain.analysis.accuracy.contrasts import Estimate
from multitrain.analysis.packed.packed_study import ANSWERS, Key, Study
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_claims, load_experiments, load_scale

ROOT = Path(__file__).parents[3]
CLIPS = 400


def study(name: str, seeds: tuple[int, ...], **right: int) -> Study:
    """Runs that answer so many of 400 clips a dataset right, give or take a clip by seed."""
    made = Study(Path(name), "desk")
    for run, count in right.items():
        for seed in seeds:
            made.texts[Key(run, seed, name="run.json")] = "{}"
            for dataset in SETS:
                columns = {
                    "clip": [f"clip {i}" for i in range(CLIPS)],
                    "video": [f"video {i}" for i in range(CLIPS)],
                    "rank": (np.arange(CLIPS) >= count + seed % 2).astype(int),
                }
                made.answers[Key(run, seed, dataset)] = pa.table(
                    {f.name: pa.array(columns.get(f.name, [None] * CLIPS), f.type) for f in ANSWERS}, schema=ANSWERS
                )
    return made


WHY = study(
    "why.parquet",
    (0, 1, 2),
    **{"multitrain": 200, "vanilla": 240},
    **{"fixed_weights": 230, "vanilla_learned_weights": 236, "projections_from_0": 190, "detached": 218},
    informative_1=204,
)


def made(value: float, error: float) -> Estimate:
    return Estimate(value, ((error**2, 1000),), 3, 1000, 500, 0.01)


@pytest.mark.parametrize(
    ("gap", "value", "error", "said"),
    [
        *((0.04, 0.03, 0.01, "supported"), (0.04, 0.02, 0.005, "supported"), (0.04, 0.03, 0.02, "left open")),
        *((0.04, 0.01, 0.004, "refuted"), (0.04, 0.01, 0.006, "left open"), (0.04, -0.05, 0.02, "refuted")),
        *((0.0, 0.03, 0.01, "nothing to explain"), (-0.02, 0.03, 0.01, "nothing to explain")),
    ],
)
def test_a_reason_goes_by_half_of_the_gap_and_the_interval(gap: float, value: float, error: float, said: str):
    assert verdict(gap, made(value, error)) == said


def test_each_change_is_held_against_the_gap_between_vanilla_and_multitrain():
    """Of a gap of ten points: 7.5 closed, 1 of Vanilla's own, 2.5 lost, and 4.5 closed, which is less than half."""
    found = lines(WHY, None)
    assert [line[1:3] for line in found] == [[each.text, each.change] for each in ABOVE_VANILLA]
    assert [line[3] for line in found] == ["+10.0"] * 4
    assert [line[4].split(" ")[0] for line in found] == ["+7.5", "+1.0", "-2.5", "+4.5"]
    assert [line[5] for line in found] == ["supported", "refuted", "refuted", "left open"]


def test_the_informative_loss_is_held_against_what_the_claim_of_a_collapse_lacks(capsys, monkeypatch):
    """Half of MultiTrain's 50% less the 45% of w/o Informative Loss lacks 20 points, by the seeds that both have."""
    desk = study("desk.parquet", (0, 1, 2), multitrain=200, wo_informative=180)
    others = study("desk.parquet", (5,), multitrain=300, wo_informative=10)
    desk = replace(desk, texts=desk.texts | others.texts, answers=desk.answers | others.answers)
    *_, last = lines(WHY, desk)
    assert last == ["the collapse", IDLE.text, IDLE.change, "+20.0", last[4], "refuted"]
    assert last[4].startswith("+0.5 [")
    monkeypatch.setattr(reasons, "read_study", {Path("why.parquet"): WHY, Path("desk.parquet"): desk}.get)
    reasons.main(["why.parquet", "desk.parquet"])
    assert capsys.readouterr().out.count("| the collapse |") == 1


def test_a_study_without_a_changed_run_is_refused():
    half = replace(WHY, answers={key: its for key, its in WHY.answers.items() if key.run != "detached"})
    with pytest.raises(UserError, match=r"why.parquet: no answers of detached on k400 by seed 0"):
        lines(half, None)


def test_the_factor_is_that_of_the_claim():
    experiments = load_experiments(ROOT / "config", load_scale("desk", ROOT / "config"))
    assert load_claims(ROOT / "config", experiments).claims["collapse"].left_factor == reasons.FACTOR


def test_the_runs_are_those_of_the_study():
    path = ROOT / "config" / "studies" / "desk_why.yaml"
    experiments = load_experiments(path, load_scale(str(path)))
    assert {run for each in (*ABOVE_VANILLA, IDLE) for run in (each.better, each.other)} <= experiments.runs.keys()
