"""Two halves of a study's seeds, decided apart: which seeds they are, and when they agree."""

import pytest

from multitrain.analysis.claims.claim_halves import agreement, halved, write_halves
from multitrain.analysis.claims.verdict_rule import NOT_RUN, ONE_SEED
from multitrain.analysis.study import study_report
from multitrain.common.errors import UserError
from multitrain.config.claims import Claim, Claims
from multitrain.config.config_files import load_claims, load_scale
from tests.analysis.claimed import ON_MIT, PUBLISHED, ROOT, add, first
from tests.csv_rows import csv_rows

SEEDS = (0, 1, 2, 3)
HOLDS, FAILS, EQUIVALENT, OPEN = "holds", "does not hold", "equivalent", "undetermined"


def compared(results, halves=((0, 1), (2, 3)), **claim: object) -> tuple[list[dict], str]:
    """The rows of halves.csv and the page for one claim, MultiTrain against the baseline on MiT."""
    claims = Claims(
        paper=load_claims(ROOT / "config", results.experiments).paper, claims={"one": Claim(**{**ON_MIT, **claim})}
    )
    write_halves(results.scale, results.experiments, claims, halves, results.folder, PUBLISHED, results.root)
    return csv_rows(results.root / "halves.csv"), (results.root / "halves.md").read_text(encoding="utf-8")


def row(verdict: str, low: float | None, high: float | None, scope: str = "claim") -> dict:
    own = {"verdict": verdict, "claim_verdict": verdict} if scope == "claim" else {"verdict": verdict}
    return {"scope": scope, **own, "low": low, "high": high}


@pytest.mark.parametrize("scope", ["claim", "dataset"])
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((HOLDS, 1, 3), (HOLDS, 4, 6), "same verdict"),
        ((OPEN, -1, 3), (OPEN, -4, 1), "same verdict"),
        ((HOLDS, 1, 3), (OPEN, 0.5, 4), "same side of 0"),  # the corrected p is above 0.05
        ((FAILS, -3, -1), (EQUIVALENT, -1.5, -0.1), "same side of 0"),
        ((HOLDS, 1, 3), (OPEN, -0.5, 4), "not shown by both"),
        ((HOLDS, 1, 3), (EQUIVALENT, -1, 1), "not shown by both"),
        ((EQUIVALENT, -1, 1), (OPEN, -2, 3), "not shown by both"),
        ((HOLDS, 1, 3), (OPEN, 3.5, 9), "intervals apart"),
        ((HOLDS, 1, 3), (FAILS, -3, -1), "intervals apart"),
        ((HOLDS, 1, 3), (OPEN, None, None), "not shown by both"),
        ((NOT_RUN, None, None), (HOLDS, 1, 3), "no verdict"),
        ((NOT_RUN, None, None), (NOT_RUN, None, None), "no verdict"),
        ((ONE_SEED, 1, 3), (ONE_SEED, 1, 3), "no verdict"),
    ],
)
def test_halves_agree_in_the_verdict_or_on_the_side_of_0(one: tuple, other: tuple, expected: str, scope: str):
    pair = row(*one, scope), row(*other, scope)
    assert agreement(*pair) == agreement(*reversed(pair)) == expected


def test_a_claim_that_its_datasets_make_mixed_is_not_the_same_as_one_that_fails():
    mixed = row(FAILS, -3, 1) | {"claim_verdict": "mixed"}
    assert agreement(mixed, row(FAILS, -3, -1)) == "not shown by both"


@pytest.mark.parametrize(
    ("scale", "seeds", "expected"),
    [
        ("desk", range(10), ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))),
        ("desk", (0, 5, 1, 6, 2), ((0, 1, 2), (5, 6))),  # by world
        ("desk", (0, 1, 2, 3), ((0, 1), (2, 3))),
        ("mini", (1, 2, 3, 4, 5), ((1, 2), (3, 4, 5))),
    ],
)
def test_halves_are_the_two_worlds_or_the_first_seeds_and_the_others(scale: str, seeds, expected: tuple):
    assert halved(load_scale(scale, ROOT / "config"), tuple(seeds)) == expected


def test_each_half_is_decided_by_its_own_seeds(results):
    """40 of 200 clips above the baseline in one half, 4 in the other."""
    for seed in SEEDS:
        add(results, first(160 if seed < 2 else 124), first(120), seed)
    (only,), text = compared(results)
    assert (only["difference_first"], only["difference_second"], only["apart"]) == ("20.00", "2.00", "18.00")
    assert (only["seeds_first"], only["seeds_second"]) == ("0 1", "2 3")
    assert (only["verdict_first"], only["verdict_second"]) == ("holds", "undetermined")
    assert only["agreement"] == "intervals apart" and float(only["apart_low"]) > 10
    assert "In 1 of 1 lines the 95% interval" in text
    assert "0 of 1 other claims agree." in text and "seeds 0-1, world 0 against seeds 2-3, world 0" in text


def test_the_interval_of_the_difference_of_halves_is_that_of_independent_ones(results):
    """Of equal halves by the root of two wider than each, around 0."""
    for seed in SEEDS:
        add(results, first(160), first(120), seed)
    (only,), _ = compared(results)
    half = float(only["high_first"]) - 20
    assert float(only["apart_high"]) == pytest.approx(2**0.5 * half, abs=0.02) == -float(only["apart_low"])
    assert only["agreement"] == "same verdict"


def test_counts_leave_out_what_is_not_run_and_claims_of_the_same_fact(results, monkeypatch):
    for seed in SEEDS:
        add(results, first(160), first(120), seed)
    one = {**ON_MIT, "primary": True}
    claims = {
        "one": Claim(**one),
        "same": Claim(**{**ON_MIT, "same_fact_as": "one"}),
        "gone": Claim(**{**ON_MIT, "table": "table3", "left": "Vanilla"}),
    }
    paper = load_claims(ROOT / "config", results.experiments).paper
    made = Claims(paper=paper, claims=claims)
    write_halves(results.scale, results.experiments, made, ((0, 1), (2, 3)), results.folder, PUBLISHED, results.root)
    text = (results.root / "halves.md").read_text(encoding="utf-8")
    counted = ("1 of 1 primary claims agree.", "In 0 of 1 lines the 95% interval of first minus second excludes 0.")
    assert "\n\n- {}\n- {}\n\n".format(*counted) in text and "Of 1 claim a half has no verdict" in text
    assert text.count("| same verdict |") == 2  # the claim and the one of its fact
    shown: list = []
    monkeypatch.setattr("IPython.display.display", lambda *its, **_: shown.extend(its))
    study_report.halves(results.root)
    assert "seeds 0-1 and seeds 2-3" in shown[1].data and "1 of 1 primary claims agree." in shown[1].data
    study_report.halves(results.root / "elsewhere")
    assert len(shown) == 2


@pytest.mark.parametrize(("seeds", "said"), [((0, 1, 2), "seeds 0"), ((), "seeds none"), ((0, 1, 2, 3, 5), "seeds 5")])
def test_a_half_of_one_seed_is_refused(seeds: tuple, said: str):
    with pytest.raises(UserError, match=rf"^study: {said} as a half: a verdict takes two seeds, so four in all$"):
        halved(load_scale("desk", ROOT / "config"), seeds, "study: ")
