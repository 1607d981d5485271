"""Verdicts on contrasts: two-sided tests and equivalence tests with Holm's correction, one rule for every claim.

docs/reference/experiment.md describes the rule and how often it is right in simulated studies.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from multitrain.analysis.accuracy.contrasts import Estimate

__all__ = [
    "AIM",
    "EQUIVALENT",
    "ERROR",
    "FAILS",
    "FEWEST_DIFFERING",
    "FEWEST_VIDEOS",
    "HOLDS",
    "MIXED",
    "MOST_SEEDS",
    "NOT_RUN",
    "ONE_SEED",
    "OPEN",
    "POWER",
    "TOO_WEAK",
    "VERDICTS",
    "Decision",
    "combined",
    "decide",
    "enough",
    "holm",
]

Key = TypeVar("Key")

HOLDS, FAILS, EQUIVALENT, MIXED, OPEN = "holds", "does not hold", "equivalent", "mixed", "undetermined"
ONE_SEED, NOT_RUN = "one seed: no verdict", "not run"
VERDICTS = (HOLDS, FAILS, EQUIVALENT, MIXED, OPEN, ONE_SEED, NOT_RUN)

ERROR = 0.05  # probability of a wrong verdict in a family of contrasts without a difference
FEWEST_VIDEOS = 100  # of a dataset
FEWEST_DIFFERING = 10  # videos on which methods differ; with fewer the t test is far from the exact sign test
# Aim of the design (docs/reference/design.md): the points that a primary contrast detects with this probability.
AIM, POWER = 3.0, 0.8
TOO_WEAK = 0.2  # power at the paper's difference below which a claim cannot be shown here
MOST_SEEDS = 200  # that anybody is told would decide a claim


@dataclass(frozen=True)
class Decision:
    """The verdict on a contrast; without p values where there are too few seeds or videos to decide."""

    estimate: Estimate
    verdict: str
    p_adjusted: float | None = None  # that there is no difference, by Holm
    p_equivalent: float | None = None  # that the difference is outside the margin, by Holm
    level: float | None = None  # the unadjusted p below which the contrast counts as a difference
    margin: float | None = None  # within which it would be equivalent, if that is tested
    level_inside: float = 0.0  # the unadjusted p below which it counts as equivalent

    def power(self, truth: float) -> float | None:
        """Probability of `holds` if `truth` were the difference; None where there is no verdict."""
        return None if self.level is None else self.estimate.power(truth, self.level)

    def seeds_to_decide(self) -> int | None:
        """Seeds with which an undetermined contrast has a verdict with probability POWER, if what was found is true.

        They are in the same worlds and on the same videos, as many in each world. MOST_SEEDS where as many would not
        do; None where the contrast is decided, or nothing is known of the spread between seeds.
        """
        if self.verdict != OPEN or self.level is None:
            return None
        step = max(1, len(self.estimate.by_world))
        for seeds in range(step * (self.estimate.seeds // step + 1), MOST_SEEDS, step):
            more = self.estimate.with_seeds(seeds)
            if more.decisiveness(self.level, self.margin, self.level_inside) >= POWER:
                return seeds
        return MOST_SEEDS


def is_decidable(estimate: Estimate) -> bool:
    """Whether there are enough seeds and videos for a verdict."""
    return estimate.seeds > 1 and estimate.videos >= FEWEST_VIDEOS and estimate.differing >= FEWEST_DIFFERING


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the given order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def level(others: Sequence[float]) -> float:
    """The p value below which Holm's procedure rejects a contrast, given the other p values of its family."""
    remaining = len(others) + 1
    for p_value in sorted(others):
        if p_value > ERROR / remaining:
            break
        remaining -= 1
    return ERROR / remaining


def levels(p_values: Sequence[float]) -> list[float]:
    """The `level` of each contrast of a family."""
    return [level([*p_values[:place], *p_values[place + 1 :]]) for place in range(len(p_values))]


def decide(family: Mapping[Key, Estimate], margin: float, bounded: Collection[Key] = ()) -> dict[Key, Decision]:
    """The decision on each contrast of a family; undecidable contrasts do not count in the correction.

    Contrasts in `bounded` have a factor or points of their own: within the margin of these is not equivalent.
    """
    decisions = {key: Decision(each, ONE_SEED if each.seeds == 1 else OPEN) for key, each in family.items()}
    decidable = {key: each for key, each in family.items() if is_decidable(each)}
    p_values = [each.p_value for each in decidable.values()]
    plain = [key for key in decidable if key not in bounded]
    inside = [decidable[key].p_outside(margin) for key in plain]
    adjusted_inside = dict(zip(plain, holm(inside), strict=True))
    levels_inside = dict(zip(plain, levels(inside), strict=True))
    adjusted = zip(decidable, holm(p_values), levels(p_values), strict=True)
    for key, p_adjusted, at in adjusted:
        p_outside = adjusted_inside.get(key)
        verdict = _verdict(decidable[key], p_adjusted, p_outside)
        equivalence = (margin, levels_inside[key]) if key in levels_inside else (None, 0.0)
        decisions[key] = Decision(decidable[key], verdict, p_adjusted, p_outside, at, *equivalence)
    return decisions


def _verdict(estimate: Estimate, p_value: float, p_outside: float | None) -> str:
    """The verdict by two adjusted p values: no difference, and (if tested) a difference outside the margin."""
    if p_value <= ERROR:
        verdict = HOLDS if estimate.value > 0 else FAILS
        return verdict if estimate.worlds_agree else MIXED
    return EQUIVALENT if p_outside is not None and p_outside <= ERROR else OPEN


def enough(seeds: int) -> str:
    """A claim's `seeds_to_decide` as text."""
    return f"{seeds} seeds would {'not ' if seeds >= MOST_SEEDS else ''}decide"


def combined(whole: str, *datasets: str) -> str:
    """A claim's verdict from that on its own contrast and those on its datasets; mixed if two are opposite."""
    return MIXED if {HOLDS, FAILS} <= {whole, *datasets} else whole
