"""Plateau figure: training loss over the schedule, and val accuracy of longer schedules where measured."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import read, titles, world
from multitrain.analysis.study.measured import FEWEST_SEEDS, FLAT

__all__ = ["draw"]

CURVES = ("run", "method", "datasets", "scale", "synthetic", "seed", "share", "loss")
MEASURED = ("kind", "run", "method", "dataset", "text", "seed", "epochs_factor", "top1", "change")
COLUMNS = 4
HEIGHT = 1.35  # inches of a panel
COLOURS = (
    figure_style.BLUE,
    figure_style.VERMILION,
    figure_style.GREEN,
    figure_style.PURPLE,
    figure_style.ORANGE,
    figure_style.SKY,
)  # of datasets


@figure_style.styled
def draw(results: Path) -> Figure:
    """The plateau figure: a panel for each method, seeds light and their mean dark; measured schedules below."""
    names = titles(results)
    curves = read(results, "curves.parquet", CURVES)
    measured = read(results, "measured.csv", MEASURED)
    decided = measured[measured["kind"].isin(["trial", "doubling"])]
    methods = list(dict.fromkeys(curves["method"]))
    trials = list(dict.fromkeys(decided["method"]))
    upper, lower = (-(-len(its) // COLUMNS) for its in (methods, trials))
    figure = figure_style.new(1.6 + HEIGHT * (upper + lower) + 0.25 * (upper + lower))
    panels = figure.subplots(upper + lower, COLUMNS, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for place, method in enumerate(methods):
        axes = panels.flat[place]
        _losses(axes, curves[curves["method"] == method], names)
        _titled(axes, method, place, len(methods), "loss", "share of the schedule")
        axes.set_ylim(0, 1.05 * curves["loss"].max())
    for place, method in enumerate(trials):
        axes = panels.flat[COLUMNS * upper + place]
        its = decided[decided["method"] == method]
        _trials(axes, its, names)
        _titled(axes, f"{method}\n{_change(its, names)}", place, len(trials), "val top-1 (%)", "schedule, times ours")
    _explain(figure, curves, measured, names)
    return figure


def _titled(axes: Axes, title: str, place: int, count: int, y: str, x: str) -> None:
    """Set a panel's title, and the axis labels at the left and the bottom of the `count` panels."""
    axes.set_visible(True)
    axes.set_title(title.replace(" & ", "\n& ").replace(", ", ",\n", 1), fontsize=8)
    axes.set_ylabel("" if place % COLUMNS else y)
    axes.set_xlabel(x if place + COLUMNS >= count else "")


def _colour(datasets: str, names: dict[str, str]) -> str:
    """The dataset's colour for a run on one dataset, else black."""
    known = list(names.values())
    return COLOURS[known.index(datasets) % len(COLOURS)] if datasets in known else figure_style.BLACK


def _losses(axes: Axes, its: pd.DataFrame, names: dict[str, str]) -> None:
    for (_, datasets), of in its.groupby(["run", "datasets"], sort=False):
        colour = _colour(datasets, names)
        table = of.pivot_table(index="share", columns="seed", values="loss")
        if len(table.columns) > 1:
            axes.plot(table.index, table, color=colour, linewidth=0.5, alpha=0.4)
        axes.plot(table.index, table.mean(axis=1), color=colour, linewidth=1.3)
    axes.set_xlim(0, 1)


def _trials(axes: Axes, its: pd.DataFrame, names: dict[str, str]) -> None:
    """Draw val top-1 by dataset against the schedule's length: points are seeds, the line is their mean."""
    trials = its[its["kind"] == "trial"]
    for dataset, of in trials.groupby("dataset", sort=False):
        colour = _colour(names.get(dataset, dataset), names)
        axes.plot(of["epochs_factor"], of["top1"], "o", color=colour, markersize=2.5, alpha=0.6)
        axes.plot(of.groupby("epochs_factor")["top1"].mean(), color=colour, linewidth=1.3)
    factors = sorted(trials["epochs_factor"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(factors, [f"{factor:g}" for factor in factors])
    axes.xaxis.set_minor_locator(NullLocator())


def _change(its: pd.DataFrame, names: dict[str, str]) -> str:
    """The change of mean val accuracy by each doubling of the schedule, as text."""
    whole = its[(its["kind"] == "doubling") & (its["dataset"] == "")]
    trials = its[its["kind"] == "trial"].drop_duplicates("run").set_index("run")["dataset"]
    lines = []
    for factor, of in whole.groupby("epochs_factor"):
        alone = [f"{names.get(trials[run])} " * (whole["run"].nunique() > 1) for run in of["run"]]
        changes = ", ".join(f"{name}{change:+.1f}" for name, change in zip(alone, of["change"], strict=True))
        lines.append(f"{'×2' if factor == 1 else f'×{factor:g} to ×{2 * factor:g}'}: {changes}")
    return "\n".join(lines) or "not doubled"


def _explain(figure: Figure, curves: pd.DataFrame, measured: pd.DataFrame, names: dict[str, str]) -> None:
    marks = [Line2D([], [], color=_colour(name, names), label=name) for name in names.values()]
    marks.append(Line2D([], [], color=figure_style.BLACK, label="several datasets"))
    notes = measured.loc[measured["kind"] == "note.plateau", "text"]
    there = measured["kind"].eq("trial").any()
    rule = (
        f"A plateau: twice the schedule changes val by less than {FLAT:g} points, mean of {FEWEST_SEEDS} seeds or more"
    )
    figure_style.caption(
        figure,
        "Is training done? Loss of every arm over its schedule" + (", and val of longer schedules" if there else ""),
        f"Ours: {world(curves)}",
        "Loss: mean cross-entropy of a training clip, in nats, augmented and smoothed as it is trained on; where"
        " projections have branches of their own, theirs is added",
        "; ".join([rule, *notes]),
        "A loss that has levelled off under a falling rate is no plateau by itself",
        marks=marks,
        columns=6,
    )
