"""The verdict rule on made-up contrasts, without runs."""

from dataclasses import replace

import numpy as np
import pytest

from multitrain.analysis.accuracy.contrasts import Estimate, estimate
from multitrain.analysis.claims.verdict_rule import (
    ERROR,
    HOLDS,
    MIXED,
    MOST_SEEDS,
    POWER,
    combined,
    decide,
    holm,
    is_decidable,
    level,
)

MARGIN = 0.02


def made(value: float, error: float, **changes: object) -> Estimate:
    fields = {"value": value, "terms": ((error**2, 50),), "seeds": 5, "videos": 320, "differing": 50, "std": 0.01}
    return Estimate(**fields | changes)


def verdict(estimate: Estimate) -> str:
    return decide({"one": estimate}, MARGIN)["one"].verdict


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        *((0.03, 0.01, "holds"), (-0.03, 0.01, "does not hold")),
        *((0.001, 0.005, "equivalent"), (-0.001, 0.005, "equivalent")),
        *((0.015, 0.01, "undetermined"), (-0.015, 0.01, "undetermined")),
        (0.012, 0.004, "holds"),  # within the margin as well: what the claim says comes first
    ],
)
def test_a_contrast_has_the_verdict_its_p_values_give(value: float, error: float, expected: str):
    assert verdict(made(value, error)) == expected


@pytest.mark.parametrize("value", [0.05, -0.05, 0.0])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": 1, "std": None}, "one seed: no verdict"),
        ({"videos": 99}, "undetermined"),
        ({"differing": 9}, "undetermined"),
    ],
)
def test_without_enough_to_go_by_there_is_no_verdict(value: float, changes: dict, expected: str):
    few = made(value, 0.001, **changes)
    decision = decide({"one": few}, MARGIN)["one"]
    assert not is_decidable(few)
    assert (decision.verdict, decision.p_adjusted, decision.power(0.05)) == (expected, None, None)


@pytest.mark.parametrize(("clips", "gained"), [(320, 1), (320, 2), (320, 3), (320, 4), (16, 0), (320, 0), (16, 16)])
def test_a_few_videos_gained_and_none_lost_are_no_verdict(clips: int, gained: int):
    """4 of 320 have p = 0.125 in McNemar's exact test, though the t interval leaves out 0."""
    values = np.zeros((5, clips))
    values[:, :gained] = 1
    for points in (0.0, 0.01):
        assert verdict(estimate([values], [np.arange(clips)], points)) == "undetermined"


def test_the_fewest_differing_videos_are_as_sure_as_the_sign_test_says():
    """10 gained and none lost of 320: p = 0.002 in McNemar's exact test."""
    values = np.zeros((5, 320))
    values[:, :10] = 1
    assert verdict(estimate([values], [np.arange(320)])) == "holds"
    values[:, :5] = -1
    assert verdict(estimate([values], [np.arange(320)])) == "equivalent"


def test_p_values_are_adjusted_by_holm():
    """As statsmodels' multipletests(..., method="holm") has them."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("others", [[], [0.5], [0.001], [0.001, 0.02, 0.5], [0.004, 0.013, 0.6, 0.012], [0.024, 0.024]])
def test_the_level_is_where_the_adjusted_p_crosses(others: list[float]):
    limit = level(others)
    below, above = (holm([limit * factor, *others])[0] for factor in (0.999, 1.001))
    assert below <= ERROR < above


def test_an_undecidable_contrast_costs_the_others_nothing():
    barely = made(0.0205, 0.01)  # p = 0.046
    few = made(0.5, 0.01, differing=3)
    assert decide({"one": barely, "few": few}, MARGIN)["one"].verdict == "holds"
    assert decide({"one": barely, "two": made(0.0, 0.01)}, MARGIN)["one"].verdict == "undetermined"


def test_the_rule_is_symmetric():
    family = {"a": made(0.03, 0.01), "b": made(-0.02, 0.008), "c": made(0.001, 0.005)}
    flipped = {key: made(-each.value, each.error) for key, each in family.items()}
    mirror = {"holds": "does not hold", "does not hold": "holds"}
    decided = decide(family, MARGIN)
    assert set(decided) == set(family)
    for key, decision in decided.items():
        assert decide(flipped, MARGIN)[key].verdict == mirror.get(decision.verdict, decision.verdict)


@pytest.mark.parametrize(
    ("whole", "datasets", "expected"),
    [
        ("holds", ["holds", "undetermined"], "holds"),
        ("undetermined", ["holds", "holds"], "undetermined"),
        ("undetermined", ["holds", "does not hold"], "mixed"),
        ("holds", ["holds", "does not hold"], "mixed"),
        ("does not hold", ["holds", "undetermined"], "mixed"),
        ("equivalent", ["undetermined"], "equivalent"),
        ("one seed: no verdict", [], "one seed: no verdict"),
    ],
)
def test_a_claim_goes_by_its_own_contrast_unless_datasets_are_opposite(whole: str, datasets: list, expected: str):
    assert combined(whole, *datasets) == combined(whole, *datasets[::-1]) == expected


def test_the_power_is_at_the_level_the_contrast_was_tested_at():
    one, sure = made(0.01, 0.01), made(0.2, 0.01)
    alone = decide({"one": one}, MARGIN)["one"].power(0.03)
    beside_sure = decide({"one": one, "sure": sure}, MARGIN)["one"].power(0.03)
    beside_open = decide({"one": one, "open": made(0.0, 0.01)}, MARGIN)["one"].power(0.03)
    assert alone == beside_sure == one.power(0.03, ERROR)
    assert beside_open == one.power(0.03, ERROR / 2) < alone


def test_a_claim_with_points_of_its_own_is_never_equivalent():
    """Within the margin of 2 points less is no statement that two methods are alike; the others stay as they are."""
    values = np.zeros((2, 320))
    values[:, :40] = np.resize([1.0, -1.0], 40)
    alike = estimate([values], [np.arange(320)])
    decisions = decide({"plain": alike, "points": alike}, 0.05, {"points"})
    assert (decisions["plain"].verdict, decisions["points"].verdict) == ("equivalent", "undetermined")
    assert decisions["points"].p_equivalent is None
    assert decisions["plain"].p_equivalent == pytest.approx(alike.p_outside(0.05))  # of a family of one


def test_a_difference_that_two_worlds_have_in_opposite_directions_is_mixed():
    sure = Estimate(0.1, ((1e-6, 9), (1e-6, 200)), seeds=10, videos=200, differing=50, std=0.01, by_world=(0.25, -0.05))
    alike = replace(sure, by_world=(0.15, 0.05))
    assert decide({"a": sure}, 0.02)["a"].verdict == MIXED
    assert decide({"a": alike}, 0.02)["a"].verdict == HOLDS


def spread(value: float, between: float, by_world: tuple[float, ...] = ()) -> Estimate:
    """Four seeds with a standard error of their own, and videos with a small one."""
    return replace(made(value, 0.001), terms=((between**2, 3), (1e-6, 319)), seeds=4, by_world=by_world)


@pytest.mark.parametrize("value", [0.02, -0.02, 0.001])
def test_the_seeds_that_would_decide_are_the_fewest_with_the_aimed_power(value: float):
    """Towards a difference, in either direction, or towards equivalence."""
    decision = decide({"one": spread(value, 0.015), "other": spread(0.0, 0.03)}, MARGIN)["one"]
    seeds = decision.seeds_to_decide()
    assert decision.verdict == "undetermined" and 5 < seeds < MOST_SEEDS
    fewer, enough = (
        decision.estimate.with_seeds(count).decisiveness(ERROR / 2, MARGIN, ERROR / 2) for count in (seeds - 1, seeds)
    )
    assert fewer < POWER <= enough


def test_a_difference_at_the_margins_edge_is_not_decided_by_equivalence():
    """Without a margin of its own to be equivalent in, a claim with points of its own takes more seeds."""
    one = {"one": spread(0.002, 0.01)}
    plain, bounded = (decide(one, MARGIN, points)["one"].seeds_to_decide() for points in ((), {"one"}))
    assert plain < bounded


def test_worlds_have_as_many_seeds_each():
    for between in (0.012, 0.013, 0.014, 0.015):
        alone, worlds = (
            decide({"one": spread(0.02, between, by_world)}, MARGIN)["one"].seeds_to_decide()
            for by_world in ((), (0.01, 0.02, 0.03))
        )
        assert worlds == 3 * -(-alone // 3)


def test_where_videos_are_the_error_no_number_of_seeds_decides():
    of_videos = replace(made(0.02, 0.015), seeds=4)
    decision = decide({"one": replace(of_videos, terms=((1e-8, 3), (0.015**2, 319)))}, MARGIN)["one"]
    assert (decision.verdict, decision.seeds_to_decide()) == ("undetermined", MOST_SEEDS)


def test_a_decided_claim_and_one_without_a_test_need_no_seeds():
    decided = decide({"sure": made(0.2, 0.01), "few": made(0.01, 0.01, differing=3)}, MARGIN)
    assert [decided[name].seeds_to_decide() for name in ("sure", "few")] == [None, None]
