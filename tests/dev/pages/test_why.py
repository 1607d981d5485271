"""The section "Why?" of docs/guides/desk.md, on made-up records of a study and a search."""

from dataclasses import replace

import numpy as np
import pytest

from dev.pages import why as its
from dev.pages.desk import EXAMPLE, NOTES, ROOT, joined
from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.config.config_files import load_scale
from tests.dev.rule.test_reasons import study

ABOVE = ["MultiTrain above Vanilla", "a reason", "a change", "+3.0", "+2.0 [+0.5, +3.5]", "K400 +2.0", "supported"]


@pytest.fixture(scope="module")
def desk() -> Study:
    return joined()


def test_the_section_says_whether_the_study_of_reasons_was_run(desk, monkeypatch):
    monkeypatch.setattr(its.reasons, "lines", lambda *_: [ABOVE])
    without, with_study = (its.section(desk, why, EXAMPLE, NOTES) for why in (None, desk))
    assert without.startswith("**The study of reasons is not run yet**") and "not run yet" not in with_study
    assert "the others are of that study, seeds 0" in with_study
    assert all(f"| {' | '.join(ABOVE)} |" in text for text in (without, with_study))


def test_trainings_made_again_are_compared_answer_by_answer():
    one, same = (study("a.parquet", (0, 1), multitrain=200, vanilla=240) for _ in range(2))
    other = study("b.parquet", (1,), multitrain=201, detached=200)
    mixed = replace(same, answers=same.answers | other.answers)
    assert "4 of its trainings are also desk's, made anew. 4 of them" in " ".join(its._repeated(one, same).split())
    assert "4 of its trainings are also desk's, made anew. 3 of them" in " ".join(its._repeated(one, mixed).split())


def test_the_factors_of_eq_6_are_those_of_the_last_step_in_the_mean_of_the_seeds():
    made = study("desk.parquet", (0, 1), multitrain=200)
    for dataset, sigma in {"k400": 1.0, "mit": 1.0, "ssv2": 0.5, "actnet": 0.25}.items():
        for seed, least in ((0, sigma), (1, sigma / np.sqrt(2))):
            made.arrays[Key("multitrain", seed, name=f"history.sigma.{dataset}")] = np.array([9.0, least])
    said = " ".join(its._weights(made).split())
    assert "by 0.8 of K400's, 0.8 of MiT's, 3.0 of SSv2's, 12.0 of ActNet's (1 / 2σ²" in said
    assert "ActNet's loss counts 16 times as much as K400's" in said


def test_ranks_below_the_claims_share_are_counted(tmp_path):
    text = (EXAMPLE / "evidence.csv").read_text(encoding="utf-8")
    head, *rows = [line for line in text.splitlines() if line.startswith(("claim,", "collapse_of_features,"))]
    fallen = rows[0].replace("0.930879", "0.42")
    assert fallen != rows[0]
    (tmp_path / "evidence.csv").write_text("\n".join((head, fallen, *rows[1:])), encoding="utf-8")
    said = " ".join(its._rank(tmp_path).split())
    assert "effective rank is 0.42 to " in said
    assert f"In 1 of {len(rows)} seeds it is below 0.5 times" in said


def test_what_ssv2s_baseline_lacks_at_the_joint_rate_is_a_share_of_what_multitrain_lacks(tmp_path):
    """Of 70 at its own rate the baseline lacks 12 at MultiTrain's, and MultiTrain 20; other rows do not count."""
    (tmp_path / its.RATES).write_text(
        "run,seed,lr,ssv2\nssv2_baseline,0,0.001,60\nssv2_baseline,1,0.001,56\nssv2_baseline,0,0.004,69\n"
        "ssv2_baseline,1,0.004,71\nmit_baseline,0,0.016,99\n",
        encoding="utf-8",
    )
    joint = "run,seed,lr,schedule,k400,mit,ssv2,actnet\n"
    joint += "multitrain,0,0.001,1,80,50,49,70\nmultitrain,1,0.001,1,80,50,51,70\nmultitrain,2,0.001,1,0,0,0,0\n"
    joint += "multitrain,0,0.002,1,60,50,44,70\nmultitrain,0,0.002,2,99,99,99,99\nvanilla,0,0.001,1,90,90,90,90\n"
    (tmp_path / its.JOINT_RATES).write_text(joint, encoding="utf-8")
    said = " ".join(its._rate(tmp_path).split())
    assert "SSv2's baseline has 70.0 at 0.004, its best, and 58.0 at 0.001" in said
    assert "MultiTrain has 50.0 there and 44.0 at twice that. So 60% of what SSv2 lacks" in said


def test_the_rates_are_those_that_the_scale_trains_with():
    scale = load_scale("desk", ROOT / "config")
    said = " ".join(its._rate(NOTES).split())
    assert f" at {scale.recipes['ssv2_baseline'].lr:g}, its best" in said
    assert f" at {scale.recipes['joint'].lr:g}, which is MultiTrain's" in said
