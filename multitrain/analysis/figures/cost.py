"""Cost figure: top-1 against gFLOPs of a clip, published methods in grey, ours in colour."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import clips, only, read, titles, world

__all__ = ["draw"]

TABLES = ("table1.csv", "table2.csv")
TEXT = ("source", "method", "dataset", "clips", "scale", "synthetic", "seeds")
NUMBERS = ("gflops", *(f"top1{kind}{end}" for kind in ("", "_projected") for end in ("", "_low", "_high")))
STEP = 0.04  # of a narrow panel: points of equal cost are set so far apart
LINE = 0.12  # inches, for a name beside a panel


@figure_style.styled
def draw(results: Path, files: Sequence[str] = TABLES) -> Figure:
    """The cost figure: a column for each table, a row for each dataset; synthetic results have separate axes."""
    names = titles(results)
    tables = [read(results, name, (*TEXT, *NUMBERS)) for name in files]
    ours = [
        only(table, results / name, "rows of ours", table["source"] == "ours")
        for name, table in zip(files, tables, strict=True)
    ]
    beside = any((table["source"] != "ours").any() for table in tables)
    every = pd.concat(ours)
    methods = list(dict.fromkeys(every["method"]))
    datasets = [list(dict.fromkeys(its["dataset"])) for its in ours]
    synthetic = (every["synthetic"] == "yes").any()
    lines, parts = max(map(len, datasets)), 2 if synthetic and beside else 1
    named = {(i, dataset): _named(table, dataset) for i, table in enumerate(tables) for dataset in datasets[i]}
    heights = [
        max([1.3, *(LINE * len(named[i, its[line]]) for i, its in enumerate(datasets) if line < len(its))])
        for line in range(lines)
    ]
    figure = figure_style.new(1.4 + sum(heights) + 0.7 * lines)
    panels = figure.subplots(lines, parts * len(tables), squeeze=False, height_ratios=heights)
    for axes in panels.flat:
        axes.set_visible(False)
    for i, its in enumerate(ours):
        published = pd.concat([named[i, dataset] for dataset in datasets[i]])
        for line, dataset in enumerate(datasets[i]):
            mine, theirs = panels[line, parts * i], panels[line, parts * i + parts - 1]
            _scale(theirs, published["gflops"])
            _scale(mine, its["gflops"])
            _ours(mine, its[its["dataset"] == dataset], methods, STEP / (1 if parts == 2 else 2.5))
            _published(theirs, named[i, dataset], LINE / heights[line])
            _title(mine, theirs, names.get(dataset, dataset), _number(files[i]), its["scale"].iloc[0])
            if line == len(datasets[i]) - 1:
                mine.set_xlabel("gFLOPs (log)")
                theirs.set_xlabel("gFLOPs (log)")
    _explain(figure, every, names, methods, synthetic, beside)
    return figure


def _number(file: str) -> str:
    """The title of a table from its name: `Table 1` for table1."""
    return file.removesuffix(".csv").replace("table", "Table ") if file in TABLES else file.removesuffix(".csv")


def _explain(
    figure: Figure, ours: pd.DataFrame, names: dict[str, str], methods: list[str], synthetic: bool, beside: bool
) -> None:
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=f"ours: {method}")
        for method, (colour, _, marker) in zip(methods, figure_style.SERIES, strict=False)
    ]
    both = synthetic and beside
    published = (
        "Published: as the paper prints them; “MultiTrain” and “Ours-baseline” there are the paper's own",
        "“MultiTrain (release)” is no row of the paper but the authors' later model",
    )
    if beside:
        marks.append(Line2D([], [], marker="o", color="0.6", linestyle="none", label="published, real videos"))
    figure_style.caption(
        figure,
        "Accuracy against cost" + (": ours (shaded) is another world than the published" if both else ""),
        f"Ours: {world(ours)}" + ("; nothing follows from a difference to a published point" if both else ""),
        f"Filled: Yₖ; hollow: Y′ₖ; lines: {figure_style.INTERVAL}; points of equal cost are set slightly apart",
        clips(ours, names),
        *(published if beside else ()),
        marks=marks,
    )


def _title(mine: Axes, theirs: Axes, dataset: str, table: str, scale: str) -> None:
    """Title a panel; a panel of synthetic results alone is shaded and labelled so."""
    if mine is theirs:
        mine.set_title(f"{dataset}, {table}")
        return
    mine.set_facecolor("0.93")
    mine.set_title(f"{dataset}: ours, synthetic\nworld {scale}", color=figure_style.VERMILION, fontsize=8)
    theirs.set_title(f"{dataset}: published\nin {table}", fontsize=8)


def _ours(axes: Axes, rows: pd.DataFrame, methods: list[str], beside: float) -> None:
    """Our methods of one dataset; those of one cost beside each other, `beside` of the axis apart."""
    low, high = np.log(axes.get_xlim())
    step = np.exp(beside * (high - low))
    for _, its in rows.groupby("gflops"):
        for place, (_, row) in enumerate(its.iterrows()):
            x = row["gflops"] * step ** (2 * place - (len(its) - 1))
            colour, _, marker = figure_style.series(methods.index(row["method"]))
            _mark(axes, row, "", x, colour, marker)
            _mark(axes, row, "_projected", x * step, colour, marker)


def _named(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The published rows for a dataset that have a cost and a top-1, the best first."""
    its = table[(table["source"] != "ours") & (table["dataset"] == dataset)]
    return its.dropna(subset=["gflops", "top1"]).sort_values(["top1", "gflops"], ascending=False)


def _published(axes: Axes, its: pd.DataFrame, gap: float) -> None:
    """Draw the published points; their names stand to the right, at least `gap` of the panel's height apart."""
    if its.empty:
        return
    axes.plot(its["gflops"], its["top1"], "o", color="0.6", markersize=4, linestyle="none", zorder=2)
    bottom, top = axes.get_ylim()
    places = separated(((its["top1"] - bottom) / (top - bottom)).to_numpy(), gap)
    left, right = np.log(axes.get_xlim())
    beside = np.exp(left + 1.03 * (right - left))
    starts = its[["gflops", "top1"]].to_numpy()
    lines = [(start, (beside, bottom + place * (top - bottom))) for start, place in zip(starts, places, strict=True)]
    axes.add_collection(LineCollection(lines, color="0.75", linewidth=0.5, zorder=1, clip_on=False), autolim=False)
    axes.set_ylim(bottom, top)
    for method, place in zip(its["method"], places, strict=True):
        axes.text(1.05, place, method, transform=axes.transAxes, va="center", color="0.3")


def _scale(axes: Axes, costs: pd.Series) -> None:
    """Set a logarithmic axis that includes these costs."""
    before = axes.get_xlim() if axes.get_visible() else ()
    axes.set(visible=True, xscale="log", ylabel="top-1 (%)")
    if len(costs):
        ends = [costs.min() / 2, costs.max() * 2, *before]
        axes.set_xlim(min(ends), max(ends))
    figure_style.plain_log(axes.xaxis, (2,))


def _mark(axes: Axes, row: pd.Series, kind: str, x: float, colour: str, marker: str) -> None:
    """Draw one of our points with its interval; Y'_k is hollow."""
    if pd.isna(row[f"top1{kind}"]):
        return
    fill = "white" if kind else colour
    figure_style.interval(axes, row[f"top1{kind}_low"], row[f"top1{kind}_high"], x, colour, horizontal=False)
    axes.plot(
        x, row[f"top1{kind}"], marker, color=colour, markerfacecolor=fill, markersize=5, linestyle="none", zorder=3
    )


def separated(heights: np.ndarray, gap: float) -> np.ndarray:
    """Label positions: descending heights (N,), moved as little as possible to be `gap` apart within 0 and 1.

    Names that overlap form a group about the mean of their heights (the isotonic regression of heights + gap * i).
    """
    gap = min(gap, 1 / max(len(heights) - 1, 1))
    groups: list[tuple[float, int]] = []  # mean of height + gap * index, members; means fall from group to group
    for index, height in enumerate(heights):
        mean, count = height + gap * index, 1
        while groups and groups[-1][0] < mean:
            before, members = groups.pop()
            mean, count = (before * members + mean * count) / (members + count), members + count
        groups.append((mean, count))
    level = np.array([mean for mean, count in groups for _ in range(count)])
    return np.clip(level, gap * max(len(heights) - 1, 0), 1) - gap * np.arange(len(heights))
