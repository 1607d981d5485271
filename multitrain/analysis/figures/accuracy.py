"""Accuracy figure: top-1 of every method with its interval, a panel for each dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import clips, only, read, titles, world

__all__ = ["draw", "draw_k700"]

PAPER = ("table3.csv", "table1.csv")  # of the first set of datasets: all ablations, then the larger model
NUMBERS = tuple(f"top1{kind}{end}" for kind in ("", "_projected") for end in ("", "_low", "_high"))
OWN: dict[str, Any] = {"marker": "o", "color": figure_style.BLUE, "markersize": 5}
PROJECTED: dict[str, Any] = {
    "marker": "D",
    "color": figure_style.VERMILION,
    "markerfacecolor": "white",
    "markersize": 4.5,
}
TEXT = ("source", "method", "dataset", "clips", "scale", "synthetic", "seeds")


@figure_style.styled
def draw(results: Path, tables: Sequence[str] = PAPER) -> Figure:
    """The accuracy figure of the tables' methods, each once, on the datasets of the first table."""
    every = [_ours(results, name) for name in tables]
    rows = pd.concat([table for table in every if set(table["dataset"]) == set(every[0]["dataset"])], ignore_index=True)
    rows = rows.drop_duplicates(["method", "dataset"])
    names = titles(results)
    *others, last = [names.get(name, name) for name in dict.fromkeys(rows["dataset"])]
    return _figure(rows, names, f"Top-1 of every method on {', '.join(others)}{' and ' * bool(others)}{last}")


@figure_style.styled
def draw_k700(results: Path) -> Figure:
    """The accuracy figure of Table 2."""
    return _figure(_ours(results, "table2.csv"), titles(results), "Top-1 with K700 in the place of K400")


def _ours(results: Path, name: str) -> pd.DataFrame:
    frame = read(results, name, (*TEXT, *NUMBERS))
    return only(frame, results / name, "rows of ours", frame["source"] == "ours")


def _figure(rows: pd.DataFrame, names: dict[str, str], title: str) -> Figure:
    methods, datasets = list(dict.fromkeys(rows["method"])), list(dict.fromkeys(rows["dataset"]))
    figure = figure_style.new(1.6 + 0.36 * len(methods))
    panels = figure.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
    for axes, dataset in zip(panels, datasets, strict=True):
        its = rows[rows["dataset"] == dataset]
        axes.set_title(names.get(dataset, dataset))
        axes.set_xlabel("top-1 (%)")
        axes.grid(axis="y", visible=False)
        for value in its.loc[its["method"] == methods[0], "top1"]:
            axes.axvline(value, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
        for place, method in enumerate(methods):
            for _, row in its[its["method"] == method].iterrows():
                _method(axes, row, place)
        axes.locator_params(axis="x", nbins=5)
    panels[0].set_yticks(range(len(methods)), [method.replace(" & ", "\n& ") for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    marks = [
        Line2D([], [], linewidth=1, label="Yₖ, the dataset's own head", **OWN),
        Line2D([], [], linewidth=1, label="Y′ₖ, with the projections added (Eq. 4)", **PROJECTED),
        Line2D([], [], color="0.6", linestyle="--", linewidth=0.8, label=f"{methods[0]}, Yₖ"),
    ]
    notes = (f"Ours: {world(rows)}", f"Lines: {figure_style.INTERVAL}", clips(rows, names))
    figure_style.caption(figure, title, *notes, marks=marks)
    return figure


def _method(axes: Axes, row: pd.Series, place: int) -> None:
    """Draw a method: Y_k and, if it has one, Y'_k below it."""
    both = pd.notna(row["top1_projected"])
    for kind, offset, mark in (("", -0.16 * both, OWN), ("_projected", 0.16, PROJECTED)):
        if pd.notna(row[f"top1{kind}"]):
            figure_style.interval(axes, row[f"top1{kind}_low"], row[f"top1{kind}_high"], place + offset, mark["color"])
            axes.plot(row[f"top1{kind}"], place + offset, linestyle="none", zorder=3, **mark)
