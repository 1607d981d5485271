"""Verdicts on claims from made-up predictions whose accuracies are known."""

import numpy as np
import pytest

from multitrain.analysis.claims import COLUMNS, claim_verdict, part_verdict
from tests.analysis.claimed import CLIPS, add, first, last, numbers, write


@pytest.mark.parametrize(
    ("left", "right", "difference", "verdict"),
    [
        (first(160), first(120), 20, "holds"),
        (first(120), first(160), -20, "does not hold"),
        (first(120), last(118), 1, "undetermined"),
        (first(120), last(120), 0, "undetermined"),
        (first(120), first(120), 0, "undetermined"),
    ],
)
def test_a_part_is_decided_by_its_interval(results, left: list[int], right: list[int], difference: float, verdict: str):
    add(results, left, right)
    (row,) = write(results)[0]
    low, high = numbers(row, "low", "high")
    assert float(row["difference"]) == difference
    assert (row["verdict"], row["claim_verdict"]) == (verdict, verdict)
    assert low <= difference <= high
    assert (low == high) == (left == right)


def test_the_interval_has_the_width_of_paired_clips(results):
    """40 of 200 clips are gained and none lost: a binomial of 0.2, whatever the accuracies."""
    add(results, first(160), first(120))
    (row,) = write(results)[0]
    half = 196 * np.sqrt(0.2 * 0.8 / CLIPS)
    assert numbers(row, "low", "high") == pytest.approx([20 - half, 20 + half], abs=1)


@pytest.mark.parametrize(("low", "high", "verdict"), [(0.0, 1.0, "undetermined"), (-1.0, 0.0, "undetermined")])
def test_an_interval_that_touches_zero_decides_nothing(low: float, high: float, verdict: str):
    assert part_verdict(low, high, CLIPS) == verdict


@pytest.mark.parametrize(
    ("low", "high", "clips", "verdict"),
    [
        *((1.0, 2.0, 100, "holds"), (1.0, 2.0, 99, "undetermined"), (-2.0, -1.0, 99, "undetermined")),
        *((1.0, 1.0, 200, "undetermined"), (-1.0, -1.0, 200, "undetermined")),
    ],
)
def test_few_clips_or_an_interval_of_no_width_decide_nothing(low, high, clips, verdict):
    assert part_verdict(low, high, clips) == verdict


def test_nothing_right_of_sixteen_clips_decides_nothing(results):
    """The margin alone would lie above 0."""
    add(results, first(0, 16), first(0, 16))
    (row,) = write(results, plus=-1.0)[0]
    assert (row["difference"], row["low"], row["high"], row["verdict"]) == ("1.00", "1.00", "1.00", "undetermined")


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undetermined"], "undetermined"),
        (["undetermined", "does not hold"], "does not hold"),
        (["holds", "does not hold"], "does not hold"),
    ],
)
def test_a_claim_holds_with_all_its_parts_and_falls_with_any(parts: list[str], verdict: str):
    assert claim_verdict(parts) == claim_verdict(parts[::-1]) == verdict


def test_a_claim_joins_the_verdicts_of_its_datasets(results):
    results.add("multitrain", {"mit": first(160), "ssv2": first(160)})
    results.add("mit_baseline", {"mit": first(120)})
    results.add("ssv2_baseline", {"ssv2": first(190)})
    rows, _ = write(results, datasets=("mit", "ssv2"))
    assert [row["verdict"] for row in rows] == ["holds", "does not hold"]
    assert {row["claim_verdict"] for row in rows} == {"does not hold"}
    assert [row["part"] for row in rows] == ["MultiTrain > Baseline, MiT", "MultiTrain > Baseline, SSv2"]


def test_projected_scores_have_their_own_verdict(results):
    add(results, left=first(100), right=first(140), projected=first(180))
    (row,) = write(results)[0]
    assert numbers(row, "ours_left", "ours_right", "difference") == [50, 70, -20]
    assert numbers(row, "left_projected", "right_projected", "difference_projected") == [90, 70, 20]
    assert (row["verdict"], row["verdict_projected"]) == ("does not hold", "holds")
    assert (row["claim_verdict"], row["claim_verdict_projected"]) == ("does not hold", "holds")


def test_without_projections_on_either_side_there_is_no_projected_verdict(results):
    results.add("vanilla", {"mit": first(100)})
    results.add("mit_baseline", {"mit": first(140)})
    (row,), text = write(results, table="table3", left="Vanilla")
    assert {row[name] for name in COLUMNS if name.endswith("_projected")} == {""}
    assert "| does not hold | - | - |" in " ".join(text.split())
    assert "0 claims by Y′ₖ" in text


def test_a_factor_weighs_the_left_side(results):
    results.add("multitrain", {"mit": first(160)}, projected={"mit": first(160)})
    results.add("wo_informative", {"mit": first(60)}, projected={"mit": first(100)})
    (row,), _ = write(results, table="table3", right="w/o Informative Loss", times=0.5)
    assert numbers(row, "ours_left", "ours_right", "difference", "difference_projected") == [40, 30, 10, -10]
    assert (row["verdict"], row["verdict_projected"]) == ("holds", "does not hold")
    assert numbers(row, "paper_left", "paper_difference") == [20.85, 13.55]


@pytest.mark.parametrize(("right", "verdict"), [(first(159), "holds"), (first(164), "does not hold")])
def test_a_margin_moves_the_right_side(results, right: list[int], verdict: str):
    """Apart by one clip is within a point; 2 points worse, on 4 of 200 clips, is not within 0.1 of it."""
    results.add("wo_actnet", {"mit": first(160)})
    results.add("multitrain", {"mit": right})
    plus = -1.0 if verdict == "holds" else -0.1
    (row,), _ = write(results, table="table3", left="w/o ActNet", right="MultiTrain", plus=plus)
    assert float(row["difference"]) == pytest.approx((160 - sum(rank == 0 for rank in right)) / 2 - plus)
    assert row["verdict"] == verdict
    assert float(row["paper_difference"]) == pytest.approx(41.3 - 41.7 - plus)


def test_a_drop_compares_two_datasets_of_different_sizes(results):
    results.add("multitrain", {"mit": first(150), "k400": first(128, 160)}, projected={"mit": first(150)})
    results.add("wo_projection", {"mit": first(50), "k400": first(120, 160)})
    claim = {"table": "table3", "right": "w/o Projection Loss", "kind": "drop", "than_on": ("k400",)}
    (row,), _ = write(results, **claim)
    assert numbers(row, "ours_left", "ours_right", "difference") == [50, 5, 45]
    half = 196 * np.sqrt(0.5 * 0.5 / 200 + 0.05 * 0.95 / 160)
    assert numbers(row, "low", "high") == pytest.approx([45 - half, 45 + half], abs=1.5)
    assert (row["datasets"], row["clips"], row["verdict"]) == ("mit k400", "200 160", "holds")
    assert numbers(row, "paper_left", "paper_right", "paper_difference") == [1.8, 1.3, 0.5]


def test_the_mean_over_datasets_weighs_them_equally(results):
    results.add("multitrain", {"mit": first(150), "k400": first(40, 80)})
    results.add("vanilla", {"mit": first(100), "k400": first(60, 80)})
    claim = {"table": "table3", "right": "Vanilla", "kind": "mean", "datasets": ("mit", "k400")}
    (row,), _ = write(results, **claim)
    assert numbers(row, "ours_left", "ours_right", "difference") == [62.5, 62.5, 0]
    assert row["verdict"] == "undetermined"
    assert float(row["paper_difference"]) == pytest.approx((8.3 + 1.8) / 2)


def test_costs_are_equal_or_not(results):
    add(results, first(160), first(120))
    results.add("multitrain_large", {"mit": first(160)})
    (row,), text = write(results, kind="cost")
    assert (row["unit"], row["ours_left"], row["ours_right"], row["verdict"]) == (
        "gflops",
        "0.12345",
        "0.12345",
        "holds",
    )
    assert (row["paper_left"], row["paper_difference"], row["low"], row["verdict_projected"]) == ("224", "0", "", "")
    assert "| 224 and 224 gFLOPs " in text
    (row,), _ = write(results, kind="cost", left="MultiTrain (large)")
    assert (row["ours_left"], row["paper_left"], row["verdict"]) == ("613.8", "614", "does not hold")


def test_seeds_are_averaged_and_drawn(results):
    """+40 points with one seed, -20 with the other: each decides on its own, both together nothing."""
    add(results, first(160), first(80), seed=0)
    add(results, first(80), first(120), seed=1)
    assert [write(results, seed)[0][0]["verdict"] for seed in (0, 1)] == ["holds", "does not hold"]
    (row,), text = write(results, 0, 1)
    low, high = numbers(row, "low", "high")
    assert (row["seeds"], row["difference"], row["difference_std"]) == ("0 1", "10.00", "42.43")
    assert low < -20
    assert high > 40
    assert row["verdict"] == "undetermined"
    assert "seeds 0, 1" in text
    assert "2 seeds: they are drawn as well" in text
