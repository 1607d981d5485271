"""The section "Why?" of docs/guides/desk.md: what could be the reason where a claim does not hold. Exploratory."""

from pathlib import Path

import numpy as np

from dev.rule import reasons
from dev.rule.planned_power import SETS
from dev.rule.reasons import TITLES
from dev.rule.run_contrast import worlds_of
from dev.search import trials_frame
from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.analysis.render.columns import EVIDENCE
from multitrain.analysis.render.table_files import read_rows
from multitrain.analysis.study.run_names import ranges
from multitrain.common.markup import grid

__all__ = ["section"]

RATES, JOINT_RATES = "search-desk.csv", "search-desk-from200.csv"  # of docs/notes


def section(desk: Study, why: Study | None, example: Path, notes: Path) -> str:
    """What the runs of desk say of reasons, and what the study says that changes one thing at a time (None: not run).

    Raises:
        UserError: a study lacks a run's answers, or a file its rows.
    """
    seeds = f"desk's own runs by seeds {ranges(desk.seeds())}"
    studied = f"; the others are of that study, seeds {ranges(why.seeds())}" if why else ""
    there = "" if why else "**The study of reasons is not run yet**; what follows is of desk's own. "
    return f"""{there}By the rule of that page, exploratory, no correction. The gap is what
the claim lacks, in points. The first {len(reasons.OF_DESK)} lines are of {seeds}{studied}.

{grid(reasons.HEAD, reasons.lines(desk, worlds_of(desk), why))}

{_weights(desk)}

{_rank(example)}

{_rate(notes)}
{_repeated(desk, why) if why else ""}"""


def _weights(desk: Study) -> str:
    """The factors of Eq. 6 that MultiTrain ends its training with, in the mean of the seeds."""
    sigma = {
        name: [desk.arrays[Key("multitrain", seed, name=f"history.sigma.{name}")][-1] for seed in desk.seeds()]
        for name in SETS
    }
    factors = {name: float(np.mean(0.5 / np.square(its))) for name, its in sigma.items()}
    named = ", ".join(f"{factor:.1f} of {TITLES[name]}'s" for name, factor in factors.items())
    least, most = min(factors, key=factors.__getitem__), max(factors, key=factors.__getitem__)
    return f"""**What the learned weights are.** At the end of MultiTrain's training Eq. 6 multiplies the losses by
{named} (1 / 2σ², the mean of the seeds; fixed weights are 0.5 each): {TITLES[most]}'s loss counts
{factors[most] / factors[least]:.0f} times as much as {TITLES[least]}'s. Whether that is a reason is what
the lines on learned weights ask, by dataset too."""


def _rank(example: Path) -> str:
    """Whether features lose rank without the informative loss: the evidence on the collapse of features."""
    rows = [row for row in read_rows(example / "evidence.csv", tuple(EVIDENCE)) if row["kind"] == "collapse"]
    shares, bound = [row["value"] for row in rows], rows[0]["bound"]
    return f"""**Do the features lose rank without the informative loss?** Their effective rank is {min(shares):.2f} to
{max(shares):.2f} times MultiTrain's. In {sum(share < bound for share in shares)} of {len(shares)} seeds it is below
{bound:g} times, which is the claim: where it is not, the loss has no collapse to prevent."""


def _rate(notes: Path) -> str:
    """What SSv2's baseline gives at MultiTrain's learning rate: trainings of the search, scored on val."""
    baseline = trials_frame(notes / RATES).query("run == 'ssv2_baseline'").groupby("lr")["ssv2"].mean()
    joint = trials_frame(notes / JOINT_RATES).query("run == 'multitrain' and schedule == 1 and seed < 2")
    means = joint.groupby("lr")[["k400", "mit", "ssv2", "actnet"]].mean()
    shared, own = means.mean(axis=1).idxmax(), baseline.idxmax()
    lost = (baseline[own] - baseline[shared]) / (baseline[own] - means["ssv2"][shared])
    return f"""**One learning rate for all datasets.** On val, by two seeds of the [search](../reference/design.md),
SSv2's baseline has {baseline[own]:.1f} at {own:g}, its best, and {baseline[shared]:.1f} at {shared:g}, which is
MultiTrain's; MultiTrain has {means["ssv2"][shared]:.1f} there and {means["ssv2"][2 * shared]:.1f} at twice that. So
{lost:.0%} of what SSv2 lacks jointly, a baseline lacks at that rate too. MiT's baseline has MultiTrain's rate: of what
MiT lacks this says nothing."""


def _repeated(desk: Study, why: Study) -> str:
    """How many of desk's trainings, made again in the study of reasons, answer every test clip alike."""
    again = [key for key in why.answers if key in desk.answers]
    trainings = dict.fromkeys((key.run, key.seed) for key in again)
    other = {(key.run, key.seed) for key in again if not why.answers[key].equals(desk.answers[key])}
    return f"""
**Made again**: {len(trainings)} of its trainings are also desk's, made anew. {len(trainings) - len(other)} of
them give every test clip's class the rank that it had.
"""
