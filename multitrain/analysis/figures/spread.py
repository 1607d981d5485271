"""Spread figure: top-1 of every seed by method and dataset, with the mean and its interval."""

from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import clips, read, titles, world

__all__ = ["draw"]

SEEDS = (
    *("method", "dataset", "world", "scale", "synthetic"),
    *("seed", "clips", "top1", "top1_mean", "top1_low", "top1_high"),
)
MEASURED = ("kind", "method", "dataset", "seeds", "text", "top1", "std")
MARKERS = "osD^vPX"  # of worlds
BAND = 2  # standard deviations of what was recorded before
PANELS = 3  # beside each other


@figure_style.styled
def draw(results: Path) -> Figure:
    """The spread figure: panels of datasets, lines of methods; with one seed also the spread measured earlier."""
    names = titles(results)
    rows = read(results, "seeds.csv", SEEDS)
    measured = read(results, "measured.csv", MEASURED)
    one = rows["seed"].nunique() == 1
    recorded = measured[(measured["kind"] == "spread") & one]
    methods, worlds = (list(dict.fromkeys(rows[name])) for name in ("method", "world"))
    datasets = [name for name in names if name in set(rows["dataset"])]
    lines = -(-len(datasets) // PANELS)
    figure = figure_style.new(1.4 + lines * (0.5 + 0.2 * len(methods)))
    panels = figure.subplots(lines, min(PANELS, len(datasets)), sharey=True, squeeze=False)
    for axes in panels.flat[len(datasets) :]:
        axes.set_visible(False)
    for axes, dataset in zip(panels.flat, datasets, strict=False):
        axes.set_title(names[dataset])
        axes.set_xlabel("top-1 (%), Yₖ")
        axes.grid(axis="y", visible=False)
        axes.use_sticky_edges = False  # bands end where they end
        for place, method in enumerate(methods):
            its = rows[(rows["dataset"] == dataset) & (rows["method"] == method)]
            before = recorded[(recorded["dataset"] == dataset) & (recorded["method"] == method)]
            _line(axes, its, before, place, worlds, one)
    panels[0, 0].set_yticks(range(len(methods)), [method.replace(" & ", "\n& ") for method in methods])
    panels[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    _explain(figure, rows, names, worlds, measured, one)
    return figure


def _line(axes: Axes, its: pd.DataFrame, before: pd.DataFrame, place: int, worlds: list[str], one: bool) -> None:
    for _, row in before.iterrows():
        axes.barh(
            place, 2 * BAND * row["std"], left=row["top1"] - BAND * row["std"], height=0.8, color="0.85", zorder=1
        )
    for world_, of in its.groupby("world", sort=False):
        marker = MARKERS[worlds.index(world_) % len(MARKERS)]
        axes.plot(
            *(of["top1"], [place] * len(of)),
            linestyle="none",
            marker=marker,
            color=figure_style.series(worlds.index(world_))[0],
            markersize=4,
            alpha=0.7,
            zorder=3,
        )
    if not one and len(its):
        first = its.iloc[0]
        figure_style.interval(axes, first["top1_low"], first["top1_high"], place, figure_style.BLACK)
        axes.plot(first["top1_mean"], place, "|", color=figure_style.BLACK, markersize=9, zorder=4)


def _explain(
    figure: Figure, rows: pd.DataFrame, names: dict[str, str], worlds: list[str], measured: pd.DataFrame, one: bool
) -> None:
    marks: list[Artist] = [
        Line2D(
            *([], []),
            linestyle="none",
            marker=MARKERS[place % len(MARKERS)],
            color=figure_style.series(place)[0],
            label=f"a seed{f', world {name}' if name and len(worlds) > 1 else ''}",
        )
        for place, name in enumerate(worlds)
    ]
    recorded = measured[measured["kind"] == "spread"]
    if not one:
        marks.append(Line2D([], [], color=figure_style.BLACK, marker="|", markersize=9, label="mean of the seeds"))
        said = f"Lines: {figure_style.INTERVAL}"
    elif recorded.empty:
        notes = measured.loc[measured["kind"] == "note.spread", "text"]
        said = f"One seed: how much trainings differ is not known ({'; '.join(notes)})"
    else:
        marks.append(Patch(color="0.85", label=f"recorded before: mean ± {BAND} standard deviations between seeds"))
        seeds, processors = ("; ".join(dict.fromkeys(recorded[name])) for name in ("seeds", "text"))
        said = f"Recorded before: seeds {seeds} on {processors}"
    figure_style.caption(
        figure, "Spread between trainings", f"Ours: {world(rows)}", said, clips(rows, names), marks=marks
    )
