"""Spectrum figure: eigenvalues of the embedding's covariance, with and without the informative loss."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import only, read, world

__all__ = ["draw"]

FILE = "spectrum.csv"
NUMBERS = ("seed", "index", "share", "effective_rank", "dimensions", "views")
TITLES = {"z": "z, the backbone's feature", "z'": "z′, the expander's embedding"}
FLOOR = 1e-8  # shares below are rounding
METHODS = (  # with and without the informative loss, on one set at one size: more lines could not be told apart
    "MultiTrain",
    "w/o Projection Loss",
    "w/o Informative Loss",
    "w/o Informative Loss & w/o Projection Add",
    "Vanilla",
)


@figure_style.styled
def draw(results: Path) -> Figure:
    """The spectrum figure: each eigenvalue's share of the trace by index, a line for each run."""
    rows = read(results, FILE, ("method", "space", "scale", "synthetic", *NUMBERS))
    there = list(dict.fromkeys(rows["method"]))
    named = METHODS if METHODS[0] in there else there[: len(METHODS)]  # a study's own joint runs have other names
    rows = only(rows, results / FILE, f"run called {' or '.join(named)}", rows["method"].isin(named))
    methods = [method for method in named if (rows["method"] == method).any()]
    spaces = [space for space in TITLES if (rows["space"] == space).any()]
    only(rows, results / FILE, "eigenvalues of z or z'", rows["space"].isin(TITLES))
    figure = figure_style.new(4.9)
    panels = figure.subplots(1, len(spaces), squeeze=False, sharey=True)[0]
    for axes, space in zip(panels, spaces, strict=True):
        _panel(axes, rows[rows["space"] == space], methods)
        axes.set_title(TITLES[space])
    panels[0].set_ylabel("share of the variance (log)")
    figure_style.caption(
        figure,
        "Does the embedding collapse without the informative loss?",
        f"Ours: {world(rows)}",
        f"Eigenvalues of the covariance over {int(rows['views'].max()):,} views of the test clips of all the run's"
        " datasets",
        "A collapsed embedding falls off at once and has an effective rank near 1; an even one is the dotted line",
        f"Shares under {FLOOR:g} are not drawn; other runs are in spectrum.csv",
        "Effective rank: exp of the entropy of the shares; with several seeds their mean, and a thin line a seed",
    )
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    dimensions = int(rows["dimensions"].max())
    for place, method in enumerate(methods):
        its = rows[rows["method"] == method]
        if its.empty:
            continue
        colour, line, marker = figure_style.series(place)
        shares = its.pivot_table(index="index", columns="seed", values="share")
        shares = shares.where(shares >= FLOOR)
        rank = its.groupby("seed")["effective_rank"].first().mean()
        if shares.shape[1] > 1:
            axes.plot(shares.index, shares, color=colour, linewidth=0.5, alpha=0.5)
        axes.plot(
            shares.index,
            shares.mean(axis=1),
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=4,
            markevery=max(1, len(shares) // 12),
            linewidth=1.3,
            label=f"{method}: {rank:.1f} of {int(its['dimensions'].iloc[0])}",
        )
    axes.axhline(1 / dimensions, color="0.4", linestyle=":", linewidth=1)
    axes.text(dimensions, 1 / dimensions, f"even: 1/{dimensions}", ha="right", va="bottom", color="0.3")
    axes.set_yscale("log")
    axes.set_xscale("log")
    figure_style.plain_log(axes.xaxis)
    axes.set_xlabel("index of the eigenvalue, largest first (log)")
    axes.legend(title="effective rank", loc="upper center", bbox_to_anchor=(0.5, -0.2), alignment="left")
