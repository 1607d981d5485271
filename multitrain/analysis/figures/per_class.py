"""Per-class gain of joint training over the baseline, sorted, a panel for each dataset."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import only, read, world

__all__ = ["draw", "draw_k700"]

FILE = "per_class.csv"
ALL = 30  # with more classes than this, only the ends are shown
ENDS = 10  # so many of the highest gains and of the lowest
COLUMNS = 2
LETTERS = 30  # of a class name
NUMBERS = ("clips", *(f"gain{kind}{end}" for kind in ("", "_projected") for end in ("", "_low", "_high")))
TEXT = ("table", "dataset", "title", "class", "baseline", "method", "seeds", "scale", "synthetic")


@figure_style.styled
def draw(results: Path) -> Figure:
    """The per-class gains on the datasets of the first table that compares two methods (the paper's Table 1)."""
    rows = read(results, FILE, ("table", "gain"))
    return _figure(results, only(rows, results / FILE, "gains", rows["gain"].notna())["table"].iloc[0])


@figure_style.styled
def draw_k700(results: Path) -> Figure:
    """The per-class gains on Table 2's datasets."""
    return _figure(results, "table2")


def _figure(results: Path, table: str) -> Figure:
    frame = read(results, FILE, (*TEXT, *NUMBERS))
    rows = only(
        frame, results / FILE, f"classes of {table} with clips", (frame["table"] == table) & frame["gain"].notna()
    )
    groups = [group.sort_values(["gain", "class"]) for _, group in rows.groupby("dataset", sort=False)]
    shown = [_ends(group) for group in groups]
    lines = -(-len(groups) // COLUMNS)
    heights = [max(len(each) for each in shown[i * COLUMNS : (i + 1) * COLUMNS]) + 3 for i in range(lines)]
    figure = figure_style.new(1.4 + 0.16 * sum(heights))
    panels = figure.subplots(lines, COLUMNS, squeeze=False, sharex=True, height_ratios=heights)
    for axes, group, its in zip(panels.flat, groups, shown, strict=False):
        _panel(axes, group, its)
    for axes in panels.flat[len(groups) :]:
        axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("gain in top-1 (points)")
    first = rows.iloc[0]
    marks = [
        Line2D([], [], marker="o", color=figure_style.BLUE, linewidth=1, label="Yₖ, the dataset's own head"),
        Line2D(
            [],
            [],
            marker="D",
            color="none",
            markeredgecolor=figure_style.VERMILION,
            markerfacecolor="none",
            label="Y′ₖ, with the projections added",
        ),
    ]
    counts = rows["clips"]
    each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    figure_style.caption(
        figure,
        f"Gain of {first['method']} over {first['baseline']} by class",
        f"Ours: {world(rows)}",
        f"{each} test clips a class, so an interval is wide; lines: 95% paired t interval over its videos, of Yₖ",
        "With this many classes some intervals leave out 0 by chance",
        *figure_style.note_if_shortened(pd.concat(shown)["class"], LETTERS),
        marks=marks,
    )
    return figure


def _ends(group: pd.DataFrame) -> pd.DataFrame:
    """The rows to show of one dataset, smallest gain first."""
    return group if len(group) <= ALL else pd.concat([group.head(ENDS), group.tail(ENDS)])


def _panel(axes: Axes, group: pd.DataFrame, its: pd.DataFrame) -> None:
    note = f"{len(group)} classes" if len(its) == len(group) else f"{ENDS} highest, {ENDS} lowest of {len(group)}"
    axes.set_title(f"{group['title'].iloc[0]}: {note}")
    axes.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    axes.grid(axis="y", visible=False)
    places = range(len(its))
    axes.hlines(places, its["gain_low"], its["gain_high"], color=figure_style.BLUE, linewidth=1, zorder=2)
    axes.plot(its["gain"], places, "o", color=figure_style.BLUE, markersize=4, zorder=3)
    axes.plot(
        its["gain_projected"],
        places,
        "D",
        markerfacecolor="none",
        markeredgecolor=figure_style.VERMILION,
        markersize=5.5,
        zorder=4,
    )
    axes.set_yticks(places, [figure_style.shorten(name, LETTERS) for name in its["class"]])
    axes.set_ylim(-0.6, len(its) - 0.4)
    if len(its) < len(group):
        axes.axhline(ENDS - 0.5, color="0.6", linestyle=":", linewidth=1)
