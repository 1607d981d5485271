"""Sweep figure: gain over the baseline at equal steps, a panel for each factor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import read
from multitrain.analysis.study.sweep_gains import EXPLORATORY, MEAN
from multitrain.planning.sweep_points import FACTORS

__all__ = ["draw"]

COLUMNS = 3  # of panels, at most
NEEDS = ("scale", "factor", "value", "method", "dataset", "by_seed", "seeds", "gain", "low", "high")


@figure_style.styled
def draw(results: Path, without: Sequence[str] = ()) -> Figure:
    """The sweep figure, from when_it_helps.csv; where points are left out it says so."""
    table = read(results, "when_it_helps.csv", NEEDS)
    table = table[table["dataset"] == MEAN]
    factors, methods = list(dict.fromkeys(table["factor"])), list(dict.fromkeys(table["method"]))
    columns = min(COLUMNS, len(factors))
    lines = -(-len(factors) // columns)
    figure = figure_style.new(1.4 + 2.1 * lines)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes, factor in zip(panels, factors, strict=False):
        _panel(axes, table[table["factor"] == factor], FACTORS[factor][0], methods)
    for axes in panels[len(factors) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("gain (points)")
    marks = [
        Line2D([], [], color=colour, linestyle="-", marker=marker, label=method)
        for method, (colour, _, marker) in zip(methods, figure_style.SERIES, strict=False)
    ]
    title = "When does joint training help? Gain in top-1 over baselines of as many steps"
    notes = (
        EXPLORATORY.rstrip("."),
        f"Synthetic worlds like that of scale {table['scale'].iloc[0]}; a small dot for each seed",
        f"Lines: {figure_style.INTERVAL}",
        *(["Not whole: points are missing"] * bool(without)),
    )
    figure_style.caption(figure, title, *notes, marks=marks)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, title: str, methods: list[str]) -> None:
    values = list(dict.fromkeys(rows["value"]))
    axes.set_title(title)
    axes.axhline(0, color="0.4", linewidth=0.8)
    for place, (method, (colour, _, marker)) in enumerate(zip(methods, figure_style.SERIES, strict=False)):
        its = rows[rows["method"] == method].set_index("value").loc[values]
        at = np.arange(len(values)) + 0.22 * (place - (len(methods) - 1) / 2)
        axes.vlines(at, its["low"], its["high"], color=colour, linewidth=1.2)
        axes.plot(at, its["gain"], linestyle="none", marker=marker, color=colour, markersize=4.5, zorder=3)
        for x, gains in zip(at, its["by_seed"], strict=True):
            axes.plot([x + 0.07] * len(gains), gains, linestyle="none", marker=".", color=colour, markersize=3)
    axes.set_xticks(range(len(values)), values)
    axes.grid(axis="x", visible=False)
