"""What was measured of a scale before, as Markdown below a table: the spread between seeds, and the plateau."""

from multitrain.analysis.layout import Rows, our_rows_of
from multitrain.analysis.markdown import grid
from multitrain.analysis.measured import FEWEST_SEEDS, FLAT, Read, doublings
from multitrain.analysis.runs import ranges
from multitrain.config import Scale
from multitrain.experiments import Experiments, Table


def sections(
    table: Table, scale: Scale, experiments: Experiments, rows: Rows, spread: Read, plateau: Read
) -> list[str]:
    """Lines of Markdown, none where there is nothing to show; files of other settings are named and not used."""
    ours = our_rows_of(rows)
    lines = [f"- {its.path}: {its.unused}." for its in (spread, plateau) if its.is_other]
    lines = ["", *lines] if lines else []
    if len({seed for row in ours for seed in row["seeds"].split()}) == 1:
        lines += _spread(table, scale, ours, spread)
    return lines + _plateau(table, scale, experiments, plateau)


def _spread(table: Table, scale: Scale, ours: Rows, spread: Read) -> list[str]:
    """The deviation between seeds by method and dataset, beside a table of one seed."""
    methods = dict.fromkeys(row["method"] for row in ours)
    found = {(each.method, each.dataset): each for each in spread.rows if each.method in methods}
    if not found:
        return []
    body = []
    for method in methods:
        cells = [f"{found[method, name].std:.1f}" if (method, name) in found else "-" for name in table.datasets]
        body.append([method, *cells])
    seeds = " / ".join(dict.fromkeys(str(len(each.seeds)) for each in found.values()))
    which = " / ".join(dict.fromkeys(ranges(each.seeds) for each in found.values()))
    processors = " / ".join(dict.fromkeys(each.processor for each in found.values()))
    said = (
        f"Spread between seeds: standard deviation of {seeds} seeds ({which}), points of top-1 by Yₖ, from"
        f" {spread.path}; processor: {processors}."
    )
    head = ["Method", *(scale.dataset(name).title for name in table.datasets)]
    return ["", said, "", *grid(head, body)]


def _plateau(table: Table, scale: Scale, experiments: Experiments, plateau: Read) -> list[str]:
    """How val changes when the schedule is doubled, for the runs of a table."""
    names = {run: row.method for row in table.rows for run in row.runs}
    changes = [each for each in doublings(plateau.rows) if each.run in names]
    if not changes:
        return []
    body = []
    for whole in (each for each in changes if each.dataset is None):
        its = {each.dataset: each for each in changes if (each.run, each.factor) == (whole.run, whole.factor)}
        cells = [f"{its[name].change:+.1f}" if name in its else "-" for name in table.datasets]
        alone = len(experiments.run(whole.run).datasets) == 1
        method = f"{names[whole.run]}, {scale.dataset(experiments.run(whole.run).datasets[0]).title}" * alone
        schedule = f"x{whole.factor:g} to x{2 * whole.factor:g}"
        body.append(
            [method or names[whole.run], schedule, str(whole.seeds), f"{whole.change:+.1f}", *cells, whole.verdict]
        )
    said = (
        f"How far from the plateau: points of top-1 on val that twice the schedule adds, from {plateau.path}. At a"
        f" plateau it is less than {FLAT:g}, in the mean over datasets and at least {FEWEST_SEEDS} seeds."
    )
    head = ["Method", "Schedule", "Seeds", "Mean", *(scale.dataset(name).title for name in table.datasets), "Verdict"]
    return ["", said, "", *grid(head, body)]
