"""Backbones figure: the contrasts of Table 1 by backbone, in the mean and on each dataset."""

from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multitrain.analysis.figures import figure_style
from multitrain.analysis.packed.backbone_contrasts import DIFFERENCE, FILE
from multitrain.analysis.study.checked_tables import read
from multitrain.analysis.study.run_names import ranges

__all__ = ["draw"]

NEEDS = ("left", "right", "backbone", "label", "difference", "low", "high", "seeds", "scale", "synthetic")
APART = 0.24  # of a line, between two backbones


@figure_style.styled
def draw(results: Path) -> Figure:
    """The backbones figure, from backbones.csv: a panel a contrast."""
    table = read(results, FILE, NEEDS)
    backbones = list(dict.fromkeys(table["backbone"]))  # the difference is the last
    contrasts = list(dict.fromkeys(zip(table["left"], table["right"], strict=True)))
    labels = list(dict.fromkeys(table["label"]))
    figure = figure_style.new(1.5 + 0.42 * len(labels))
    panels = figure.subplots(1, len(contrasts), sharey=True, squeeze=False).ravel()
    for axes, (left, right) in zip(panels, contrasts, strict=True):
        _panel(axes, table[(table["left"] == left) & (table["right"] == right)], backbones, labels)
        axes.set_title(f"{left} − {right}")
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylim(len(labels) - 0.5, -0.5)
    _explain(figure, table, backbones)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, backbones: list[str], labels: list[str]) -> None:
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("points of top-1 (Yₖ)")
    for place, backbone in enumerate(backbones):
        colour, marker = _look(place, backbone)
        its = rows[rows["backbone"] == backbone].set_index("label").loc[labels]
        for line, (_, row) in enumerate(its.iterrows()):
            at = line + APART * (place - (len(backbones) - 1) / 2)
            if pd.notna(row["low"]):
                figure_style.interval(axes, row["low"], row["high"], at, colour)
            axes.plot(row["difference"], at, marker, color=colour, markersize=4.5, zorder=3)


def _look(place: int, backbone: str) -> tuple[str, str]:
    """Colour and marker."""
    colour, _, marker = figure_style.series(place)
    return ("0.5", "|") if backbone == DIFFERENCE else (colour, marker)


def _explain(figure: Figure, table: pd.DataFrame, backbones: list[str]) -> None:
    first, second = (name for name in backbones if name != DIFFERENCE)
    marks: list[Artist] = []
    for place, backbone in enumerate(backbones):
        colour, marker = _look(place, backbone)
        label = f"{second} minus {first}" if backbone == DIFFERENCE else backbone
        marks.append(Line2D([], [], color=colour, marker=marker, linewidth=1, markersize=4.5, label=label))
    seeds = {name: ranges(set().union(*its["seeds"])) for name, its in table.groupby("backbone", sort=False)}
    source = "synthetic videos" if "yes" in set(table["synthetic"]) else "real videos"
    figure_style.caption(
        figure,
        "Does it depend on the backbone?",
        f"World of scale {table['scale'].iloc[0]}, {source}; seeds: "
        + ", ".join(f"{name} {seeds[name]}" for name in (first, second))
        + f"; their difference {seeds[DIFFERENCE]}, on the same clips",
        f"Lines: {figure_style.INTERVAL}, not corrected for their number",
        marks=marks,
    )
