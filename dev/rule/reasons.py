r"""Which reasons for what does not hold do the runs of desk and of config/studies/desk_why.yaml support?

    python -m dev.rule.reasons desk.parquet [desk_why.parquet]    # lines of Markdown

The rule is that of docs/reference/design.md, "Why", and was written before a run of desk was scored on test: a reason
is supported where its change closes at least half of the gap and the interval of changed minus unchanged lies above 0,
refuted where that interval ends below half of the gap, else left open. Exploratory: no correction.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.command import start
from dev.rule.operating import show
from dev.rule.planned_power import SETS
from dev.rule.run_contrast import Side, contrast, worlds_of
from multitrain.analysis.accuracy.contrasts import Estimate
from multitrain.analysis.packed.packed_study import Study, read_study

__all__ = ["HEAD", "OF_DESK", "OF_WHY", "TITLES", "Gap", "Reason", "lines", "verdict"]

SUPPORTED, REFUTED, LEFT_OPEN, NO_GAP = "supported", "refuted", "left open", "nothing to explain"
HEAD = ("what does not hold", "reason", "change", "gap", "changed minus unchanged", "by dataset", "the reason is")
TITLES = dict(zip(SETS, ("K400", "MiT", "SSv2", "ActNet"), strict=True))


@dataclass(frozen=True)
class Gap:
    """A claim and what it lacks: the second run less the first, and the points that the claim has."""

    claim: str
    first: Side
    second: Side
    points: float = 0.0
    datasets: tuple[str, ...] = SETS


@dataclass(frozen=True)
class Reason:
    """A reason and the two runs whose difference tests it; `better` is the one that would close the gap."""

    gap: Gap
    text: str
    change: str
    better: Side
    other: Side


MULTITRAIN, VANILLA, LEARNED = Side("multitrain"), Side("vanilla"), Side("vanilla_learned_weights")
HALF = Side("multitrain", 0.5)  # the claim of a collapse: w/o Informative Loss is below half of MultiTrain
ABOVE_VANILLA = Gap("MultiTrain above Vanilla", MULTITRAIN, VANILLA)
COLLAPSE = Gap("the collapse", HALF, Side("wo_informative"))
BRANCHES = Gap("branches above Vanilla", Side("wo_informative_wo_add"), VANILLA, 0.02, ("mit", "ssv2"))
LONGER = Gap("MultiTrain above Vanilla, 4x schedule", MULTITRAIN, Side("vanilla_long"))
WEIGHTS = "learned weights of the datasets"
OF_WHY = (
    Reason(ABOVE_VANILLA, WEIGHTS, "MultiTrain with fixed ones", Side("fixed_weights"), MULTITRAIN),
    Reason(ABOVE_VANILLA, WEIGHTS, "Vanilla without learned ones", VANILLA, LEARNED),
    Reason(
        ABOVE_VANILLA,
        "random projections are noise at the start",
        "projections from 0",
        Side("projections_from_0"),
        MULTITRAIN,
    ),
    Reason(
        ABOVE_VANILLA, "the gradient through the projections", "no gradient through them", Side("detached"), MULTITRAIN
    ),
    Reason(COLLAPSE, "informative weights of 0.1 are small", "weights of 1 and 1", Side("informative_1", 0.5), HALF),
    Reason(BRANCHES, WEIGHTS, "Vanilla without learned ones", VANILLA, LEARNED),
)
OF_DESK = (
    Reason(
        ABOVE_VANILLA,
        "Yₖ is scored, and Y′ₖ was trained",
        "MultiTrain by Y′ₖ",
        Side("multitrain", projected=True),
        MULTITRAIN,
    ),
    Reason(
        LONGER,
        "the schedule of 50 epochs is short",
        "Vanilla's 200 epochs, not 50",
        Side("vanilla_long"),
        VANILLA,
    ),
)


def verdict(gap: float, found: Estimate) -> str:
    """What a change says of its reason, given what the claim lacks."""
    low, high = found.interval
    if gap <= 0:
        return NO_GAP
    if found.value >= gap / 2 and low > 0:
        return SUPPORTED
    return REFUTED if high < gap / 2 else LEFT_OPEN


def lines(desk: Study, worlds: Sequence[Sequence[int]], why: Study | None) -> list[list[str]]:
    """The table's lines: those of desk's own runs by all of its seeds, and those of `why`, if there is one, by its own.

    What a claim lacks is of the same seeds as the change, and of desk where `why` has not the runs. `worlds` has the
    seeds of each world of desk.
    """
    found = [_line(reason, desk, desk, worlds) for reason in OF_DESK]
    if why is not None:
        found += [_line(reason, why, desk, [why.seeds()]) for reason in OF_WHY]
    return found


def _line(reason: Reason, study: Study, desk: Study, worlds: Sequence[Sequence[int]]) -> list[str]:
    gap = reason.gap
    there = {side.runs for side in (gap.first, gap.second)} <= {run for run, _ in study.records()}
    lacks = contrast(study if there else desk, gap.second, gap.first, worlds, gap.datasets).value + gap.points
    its = contrast(study, reason.better, reason.other, worlds, gap.datasets)
    low, high = (100 * bound for bound in its.interval)
    numbers = [f"{100 * lacks:+.1f}", f"{100 * its.value:+.1f} [{low:+.1f}, {high:+.1f}]"]
    single = {name: contrast(study, reason.better, reason.other, worlds, (name,)).value for name in gap.datasets}
    each = ", ".join(f"{TITLES[name]} {100 * value:+.1f}" for name, value in single.items())
    return [gap.claim, reason.text, reason.change, *numbers, each, verdict(lacks, its)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("desk", type=Path, help="desk packed")
    parser.add_argument("why", type=Path, nargs="?", help="the packed study of config/studies/desk_why.yaml")
    options = parser.parse_args(arguments)
    desk = read_study(options.desk)
    show(list(HEAD), lines(desk, worlds_of(desk), read_study(options.why) if options.why else None))


if __name__ == "__main__":
    start(main)
