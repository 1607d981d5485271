"""Earlier measurements of a scale as text below a table: spread between seeds and plateau."""

from multitrain.analysis.render.cells import percent, signed, unique
from multitrain.analysis.render.markdown import Block, bullets
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Rows
from multitrain.analysis.study.measured import FEWEST_SEEDS, FLAT, MeasuredFile, doublings
from multitrain.analysis.study.run_names import ranges
from multitrain.analysis.tables.table_layout import our_rows_of
from multitrain.config.experiments import Experiments, Table
from multitrain.config.scale import Scale

__all__ = ["blocks"]


def blocks(
    table: Table, scale: Scale, experiments: Experiments, rows: Rows, spread: MeasuredFile, plateau: MeasuredFile
) -> list[Block]:
    """The texts and grids of earlier measurements; files of other settings are named but not used."""
    ours = our_rows_of(rows)
    found: list[Block] = [bullets(f"{its.path}: {its.unused}." for its in (spread, plateau) if its.is_other)]
    if len({seed for row in ours for seed in row["seeds"]}) == 1:
        found += _spread(table, scale, ours, spread)
    return found + _plateau(table, scale, experiments, plateau)


def _spread(table: Table, scale: Scale, ours: Rows, spread: MeasuredFile) -> list[Block]:
    """The deviation between seeds by method and dataset, beside a table of one seed."""
    methods = dict.fromkeys(row["method"] for row in ours)
    found = {(each.method, each.dataset): each.std for each in spread.rows if each.method in methods}
    if not found:
        return []
    body = [[method, *(percent(found.get((method, name))) for name in table.datasets)] for method in methods]
    its = [each for each in spread.rows if each.method in methods]
    said = (
        f"Spread between seeds: standard deviation of {unique(len(each.seeds) for each in its)} seeds"
        f" ({unique(ranges(each.seeds) for each in its)}), points of top-1 by Yₖ, from {spread.path}; processor:"
        f" {unique(each.processor for each in its)}."
    )
    return [said, Grid(["Method", *(scale.dataset(name).title for name in table.datasets)], body)]


def _plateau(table: Table, scale: Scale, experiments: Experiments, plateau: MeasuredFile) -> list[Block]:
    """The change of val accuracy by doubling the schedule, for the runs of a table."""
    names = {run: row.method for row in table.rows for run in row.runs}
    changes = [each for each in doublings(plateau.rows) if each.run in names]
    if not changes:
        return []
    body = []
    for whole in (each for each in changes if each.dataset is None):
        its = {each.dataset: each.change for each in changes if (each.run, each.factor) == (whole.run, whole.factor)}
        cells = [signed(its.get(name)) for name in table.datasets]
        alone = len(experiments.run(whole.run).datasets) == 1
        method = f"{names[whole.run]}, {scale.dataset(experiments.run(whole.run).datasets[0]).title}" * alone
        schedule = f"x{whole.factor:g} to x{2 * whole.factor:g}"
        mean = [schedule, str(whole.seeds), signed(whole.change)]
        body.append([method or names[whole.run], *mean, *cells, whole.verdict])
    said = (
        f"How far from the plateau: points of top-1 on val that twice the schedule adds, from {plateau.path}. At a"
        f" plateau it is less than {FLAT:g}, in the mean over datasets and at least {FEWEST_SEEDS} seeds."
    )
    head = ["Method", "Schedule", "Seeds", "Mean", *(scale.dataset(name).title for name in table.datasets), "Verdict"]
    return [said, Grid(head, body)]
