"""Reasons on made-up answers: supported, refuted and left open by the rule of docs/reference/design.md."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dev.rule import reasons
from dev.rule.planned_power import SETS
from dev.rule.reasons import HALF, OF_DESK, OF_WHY, lines, verdict
from multitrain.analysis.accuracy.contrasts import Estimate
from multitrain.analysis.packed.packed_study import ANSWERS, Key, Study
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_claims, load_experiments, load_scale

ROOT = Path(__file__).parents[3]
CLIPS = 400
ADDED = ("multitrain", "wo_informative")  # runs that have Y'_k


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
                if run in ADDED:
                    columns["rank_projected"] = columns["rank"]
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


DESK = study(
    "desk.parquet",
    (0, 1, 2),
    **{"multitrain": 200, "vanilla": 248, "vanilla_long": 280, "wo_informative": 180, "wo_informative_wo_add": 200},
)
OTHER_WORLD = study(
    "desk.parquet",
    (5,),
    **{"multitrain": 300, "vanilla": 280, "vanilla_long": 230, "wo_informative": 10, "wo_informative_wo_add": 10},
)
DESK = replace(DESK, texts=DESK.texts | OTHER_WORLD.texts, answers=DESK.answers | OTHER_WORLD.answers)


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
    found = lines(DESK, [(0, 1, 2)], WHY)[len(OF_DESK) :][:4]
    assert [line[1:3] for line in found] == [[each.text, each.change] for each in OF_WHY[:4]]
    assert [line[3] for line in found] == ["+10.0"] * 4
    assert [line[4].split(" ")[0] for line in found] == ["+7.5", "+1.0", "-2.5", "+4.5"]
    assert [line[-1] for line in found] == ["supported", "refuted", "refuted", "left open"]


def test_a_change_is_shown_by_dataset():
    plain = study("why.parquet", (0, 1, 2), fixed_weights=200).answers
    on_mit = {key: its for key, its in plain.items() if key.dataset == "mit"}
    line = lines(DESK, [(0, 1, 2)], replace(WHY, answers=WHY.answers | on_mit))[len(OF_DESK)]
    assert line[5] == "K400 +7.5, MiT +0.0, SSv2 +7.5, ActNet +7.5" and line[4].startswith("+5.6 [")


def test_gaps_of_runs_that_the_study_has_not_are_of_desk_by_the_studys_seeds():
    """The collapse lacks the 45% of w/o Informative Loss less half of MultiTrain's 50%; branches 12 points and 2."""
    collapse, branches = lines(DESK, [(0, 1, 2), (5,)], WHY)[-2:]
    assert collapse[:4] == ["the collapse", "informative weights of 0.1 are small", "weights of 1 and 1", "+20.0"]
    assert collapse[4].startswith("+0.5 [") and collapse[-1] == "refuted"
    assert branches[0] == "branches above Vanilla" and branches[3] == "+14.0"
    assert branches[4].startswith("+1.0 [") and branches[5:] == ["MiT +1.0, SSv2 +1.0", "refuted"]


def test_reasons_of_desk_alone_are_by_all_of_its_seeds(capsys, monkeypatch):
    """The gap to the longer Vanilla is 20 points by each of seeds 0 to 2 and -17.5 by seed 5 of another world."""
    both = [(0, 1, 2), (5,)]
    assert [line[0] for line in lines(DESK, both, None)] == [each.gap.claim for each in OF_DESK]
    scored, longer = lines(DESK, [(0, 1, 2)], None)
    assert scored[3:5] == ["+12.0", "+0.0 [+0.0, +0.0]"] and scored[-1] == "refuted"
    assert longer[3] == "+20.0" and longer[4].startswith("+8.0 [")
    assert lines(DESK, both, None)[1][3] == "+10.6"
    monkeypatch.setattr(reasons, "read_study", {Path("why.parquet"): WHY, Path("desk.parquet"): DESK}.get)
    monkeypatch.setattr(reasons, "worlds_of", lambda _: both)
    reasons.main(["desk.parquet", "why.parquet"])
    assert capsys.readouterr().out.count("| MultiTrain above Vanilla |") == 5


def test_a_study_without_a_changed_run_is_refused():
    half = replace(WHY, answers={key: its for key, its in WHY.answers.items() if key.run != "detached"})
    with pytest.raises(UserError, match=r"why.parquet: no answers of detached on k400 by seed 0"):
        lines(DESK, [(0, 1, 2)], half)


def test_the_factor_is_that_of_the_claim():
    experiments = load_experiments(ROOT / "config", load_scale("desk", ROOT / "config"))
    assert load_claims(ROOT / "config", experiments).claims["collapse"].left_factor == HALF.factor


def test_the_runs_are_those_of_the_study():
    path = ROOT / "config" / "studies" / "desk_why.yaml"
    experiments = load_experiments(path, load_scale(str(path)))
    assert {side.runs for each in OF_WHY for side in (each.better, each.other)} <= experiments.runs.keys()
