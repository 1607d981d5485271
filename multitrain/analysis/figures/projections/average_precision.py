"""Recovery figure: average precision of the projection weights for related classes, against chance."""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import FillStyleType

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.analysis.figures import figure_style
from multitrain.analysis.figures.projections.heat_maps import shown_run
from multitrain.analysis.study.checked_tables import read, titles, world

__all__ = ["draw"]

FILE = "projection_recovery.csv"
NUMBERS = ("seed", "chance_average_precision", "average_precision", "p_value")
TEXT = ("run", "method", "source", "target", "form", "relation_from", "scale", "synthetic")
WIDEST = 22  # characters of a method's name on a line
FORMS: dict[str, tuple[str, str, str, FillStyleType]] = {
    "weight": ("raw weight W", figure_style.BLUE, "o", "full"),
    "scaled": ("scaled weight", figure_style.VERMILION, "s", "none"),
}


@figure_style.styled
def draw(results: Path) -> Figure:
    """The recovery figure: every ordered pair of datasets of one run, and the mean over pairs of every run."""
    names = titles(results)
    rows = read(results, FILE, (*TEXT, *NUMBERS))
    if rows["average_precision"].isna().all():
        return _without_related_classes(rows)
    rows = rows[rows["average_precision"].notna()]
    run = shown_run(list(dict.fromkeys(rows["run"])))
    figure = figure_style.new(4.6)
    left, right = figure.subplots(1, 2)
    _pairs(left, rows[rows["run"] == run], names)
    left.set_title(f"{rows.loc[rows['run'] == run, 'method'].iloc[0]}: by pair of datasets")
    _runs(right, rows)
    right.set_title("mean over pairs of datasets")
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.set_xlabel("average precision")
        axes.grid(axis="y", visible=False)
    marks = [
        Line2D([], [], marker=marker, color=colour, fillstyle=fill, linestyle="none", label=label)
        for label, colour, marker, fill in FORMS.values()
    ]
    chance = Line2D([], [], marker="|", color="0.35", markersize=9, markeredgewidth=2, linestyle="none", label="chance")
    figure_style.caption(
        figure,
        "Do the projections find related classes?",
        f"Ours: {world(rows)}",
        f"Related by: {', '.join(dict.fromkeys(rows['relation_from']))}; pairs of datasets without a related class are"
        " left out",
        "Left: the mean over seeds, a line from the lowest to the highest; * marks p < 0.05 for every seed by permuting"
        " classes, uncorrected for the number of tests",
        f"Right: {LEVEL:.0%} t intervals over pairs of datasets",
        marks=[*marks, chance],
    )
    return figure


def _without_related_classes(rows: pd.DataFrame) -> Figure:
    """The caption alone: of real datasets, only classes of the same name are known to be related."""
    figure = figure_style.new(1.5)
    figure_style.caption(
        figure,
        "Do the projections find related classes?",
        f"Ours: {world(rows)}",
        "No pair of datasets has related classes",
    )
    return figure


def _pairs(axes: Axes, rows: pd.DataFrame, names: dict[str, str]) -> None:
    pairs = list(dict.fromkeys(zip(rows["source"], rows["target"], strict=True)))
    for place, (source, target) in enumerate(pairs):
        its = rows[(rows["source"] == source) & (rows["target"] == target)]
        axes.plot(its["chance_average_precision"].mean(), place, "|", color="0.35", markersize=9, markeredgewidth=2)
        for offset, (form, (_, colour, marker, fill)) in zip((-0.15, 0.15), FORMS.items(), strict=True):
            found = its[its["form"] == form]
            value = found["average_precision"].mean()
            if len(found) > 1:
                figure_style.interval(
                    axes, found["average_precision"].min(), found["average_precision"].max(), place + offset, colour
                )
            axes.plot(value, place + offset, marker, color=colour, fillstyle=fill, markersize=5)
            if len(found) and (found["p_value"] < 0.05).all():
                axes.annotate(
                    "*",
                    (found["average_precision"].max(), place + offset),
                    (5, -4),
                    textcoords="offset points",
                    color=colour,
                )
    labels = [f"{names.get(source, source)} to {names.get(target, target)}" for source, target in pairs]
    axes.set_yticks(range(len(pairs)), labels)
    axes.set_ylim(len(pairs) - 0.4, -0.6)


def _runs(axes: Axes, rows: pd.DataFrame) -> None:
    runs = list(dict.fromkeys(rows["run"]))
    for place, run in enumerate(runs):
        its = rows[rows["run"] == run]
        axes.plot(its["chance_average_precision"].mean(), place, "|", color="0.35", markersize=9, markeredgewidth=2)
        for offset, (form, (_, colour, marker, fill)) in zip((-0.15, 0.15), FORMS.items(), strict=True):
            found = its[its["form"] == form]
            values = found.groupby(["source", "target"])["average_precision"].mean().to_numpy()
            if not len(values):
                continue
            low, high = np.clip(estimate([values[None]], [np.arange(len(values))]).interval, 0, 1)
            figure_style.interval(axes, low, high, place + offset, colour)
            axes.plot(
                np.mean(values),
                place + offset,
                marker,
                color=colour,
                markerfacecolor=colour if fill == "full" else "white",
                markersize=5,
            )
    methods = dict(zip(rows["run"], rows["method"], strict=True))
    axes.set_yticks(range(len(runs)), [textwrap.fill(methods[run], WIDEST) for run in runs])
    axes.set_ylim(len(runs) - 0.4, -0.6)
