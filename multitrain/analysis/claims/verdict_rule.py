"""The rule for verdicts: one for every claim, symmetric, corrected for the number of claims.

docs/reference/experiment.md has the rule in words, and how often it is right in simulated studies.
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
    "FEWEST_TELLING",
    "FEWEST_VIDEOS",
    "HOLDS",
    "HOPELESS",
    "MIXED",
    "NOT_RUN",
    "ONE_SEED",
    "OPEN",
    "POWER",
    "VERDICTS",
    "Decision",
    "decide",
    "joined",
]

Key = TypeVar("Key")

HOLDS, FAILS, EQUIVALENT, MIXED, OPEN = "holds", "does not hold", "equivalent", "mixed", "undetermined"
ONE_SEED, NOT_RUN = "one seed: no verdict", "not run"
VERDICTS = (HOLDS, FAILS, EQUIVALENT, MIXED, OPEN, ONE_SEED, NOT_RUN)

ERROR = 0.05  # probability of a wrong verdict in a family of contrasts without a difference
FEWEST_VIDEOS = 100  # of a dataset
FEWEST_TELLING = 10  # videos on which methods differ: with fewer the sign test is far from the t test
# The design (docs/reference/design.md): so many points are to be found so often in a primary contrast.
AIM, POWER = 3.0, 0.8
HOPELESS = 0.2  # a claim that would hold less often than that, were the paper right, cannot be shown here


@dataclass(frozen=True)
class Decision:
    """What the rule says of a contrast; without p values where it cannot be told."""

    estimate: Estimate
    verdict: str
    p_adjusted: float | None = None  # of no difference, by Holm
    p_equivalent: float | None = None  # of a difference outside the margin, by Holm
    level: float | None = None  # below which its own p would have counted as a difference

    def power(self, truth: float) -> float | None:
        """Probability of `holds` if `truth` were the difference; None where there is no verdict."""
        return None if self.level is None else self.estimate.power(truth, self.level)


def can_tell(estimate: Estimate) -> bool:
    """Whether there are seeds and videos enough for a verdict."""
    return estimate.seeds > 1 and estimate.videos >= FEWEST_VIDEOS and estimate.telling >= FEWEST_TELLING


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        found[place] = highest
    return found


def level(others: Sequence[float]) -> float:
    """The p below which Holm's procedure rejects a contrast of a family whose other p values are these."""
    left = len(others) + 1
    for p_value in sorted(others):
        if p_value > ERROR / left:
            break
        left -= 1
    return ERROR / left


def decide(family: Mapping[Key, Estimate], margin: float, bounded: Collection[Key] = ()) -> dict[Key, Decision]:
    """The decision on each contrast of a family; one that cannot be told is no part of the correction.

    Those of `bounded` have a factor or points of their own: to lie within the margin of that is not to be equivalent.
    """
    told = {key: its for key, its in family.items() if can_tell(its)}
    differ = [its.p_value for its in told.values()]
    plain = [key for key in told if key not in bounded]
    alike = dict(zip(plain, adjusted([told[key].p_outside(margin) for key in plain]), strict=True))
    found = {key: Decision(its, ONE_SEED if its.seeds == 1 else OPEN) for key, its in family.items()}
    for place, (key, p_value) in enumerate(zip(told, adjusted(differ), strict=True)):
        others, p_outside = differ[:place] + differ[place + 1 :], alike.get(key)
        found[key] = Decision(told[key], _verdict(told[key], p_value, p_outside), p_value, p_outside, level(others))
    return found


def _verdict(estimate: Estimate, p_value: float, p_outside: float | None) -> str:
    """Of adjusted p values: of no difference, and of one outside the margin, where that is asked."""
    if p_value <= ERROR:
        agreed = HOLDS if estimate.value > 0 else FAILS
        return agreed if estimate.worlds_agree else MIXED
    return EQUIVALENT if p_outside is not None and p_outside <= ERROR else OPEN


def joined(whole: str, *datasets: str) -> str:
    """A claim's verdict from that on its own contrast and those on its datasets: mixed if two are opposite."""
    return MIXED if {HOLDS, FAILS} <= {whole, *datasets} else whole
