r"""Which reasons for what does not hold do the runs of config/studies/desk_why.yaml support? Lines of Markdown.

    python -m dev.rule.reasons desk_why.parquet desk.parquet

The rule is that of docs/reference/design.md, "Why", and was written before a run of desk was scored on test: a reason
is supported where its change closes at least half of the gap and the interval of changed minus unchanged lies above 0,
refuted where that interval ends below half of the gap, else left open. Exploratory: no correction.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.rule.operating import show
from dev.rule.planned_power import SETS, right
from multitrain.analysis.accuracy.contrasts import Estimate, estimate
from multitrain.analysis.packed.packed_study import Study, read_study
from multitrain.common.errors import UserError

SUPPORTED, REFUTED, LEFT_OPEN, NO_GAP = "supported", "refuted", "left open", "nothing to explain"
HEAD = ("what does not hold", "reason", "change", "gap", "changed minus unchanged", "the reason is")


@dataclass(frozen=True)
class Reason:
    """A reason and the two runs whose difference tests it; `better` is the one that would close the gap."""

    text: str
    change: str
    better: str
    other: str


ABOVE_VANILLA = (
    Reason("learned weights of the datasets", "MultiTrain with fixed ones", "fixed_weights", "multitrain"),
    Reason("learned weights of the datasets", "Vanilla without learned ones", "vanilla", "vanilla_learned_weights"),
    Reason("random projections are noise at the start", "projections from 0", "projections_from_0", "multitrain"),
    Reason("the gradient through the projections", "no gradient through them", "detached", "multitrain"),
)
IDLE = Reason("informative weights of 0.1 are small", "weights of 1 and 1", "informative_1", "multitrain")
FACTOR = 0.5  # of MultiTrain's top-1, which the claim of a collapse says to be more than w/o Informative Loss has


def contrast(
    study: Study, left: str, other: str, factors: tuple[float, float] = (1.0, 1.0), seeds: Sequence[int] | None = None
) -> Estimate:
    """Top-1 of a run minus that of another, each times its factor, in the mean of the datasets, as a fraction."""
    values, videos = [], []
    for dataset in SETS:
        (first, of), (second, _) = (right(study, run, dataset, seeds) for run in (left, other))
        values.append((factors[0] * first - factors[1] * second) / len(SETS))
        videos.append(of)
    return estimate(values, videos)


def verdict(gap: float, found: Estimate) -> str:
    """What a change says of its reason, given what the claim lacks."""
    low, high = found.interval
    if gap <= 0:
        return NO_GAP
    if found.value >= gap / 2 and low > 0:
        return SUPPORTED
    return REFUTED if high < gap / 2 else LEFT_OPEN


def lines(why: Study, desk: Study | None) -> list[list[str]]:
    """The table's lines; that on the informative loss needs desk's own runs, by the same seeds."""
    gap = contrast(why, "vanilla", "multitrain").value
    tests = [("MultiTrain above Vanilla", each, gap, 1.0) for each in ABOVE_VANILLA]
    if desk is not None:
        lacks = -contrast(desk, "multitrain", "wo_informative", (FACTOR, 1.0), why.seeds()).value
        tests.append(("the collapse", IDLE, lacks, FACTOR))
    found = []
    for claim, reason, lacks, factor in tests:
        its = contrast(why, reason.better, reason.other, (factor, factor))
        low, high = (100 * bound for bound in its.interval)
        numbers = [f"{100 * lacks:+.1f}", f"{100 * its.value:+.1f} [{low:+.1f}, {high:+.1f}]"]
        found.append([claim, reason.text, reason.change, *numbers, verdict(lacks, its)])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("why", type=Path, help="the packed study of config/studies/desk_why.yaml")
    parser.add_argument("desk", type=Path, nargs="?", help="desk packed: for the line on the informative loss")
    options = parser.parse_args(arguments)
    show(list(HEAD), lines(read_study(options.why), read_study(options.desk) if options.desk else None))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
