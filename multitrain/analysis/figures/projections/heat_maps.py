"""Heat maps of one run's projection matrices: rows of panels are targets, columns are sources."""

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn  # registers the colour map
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import read, runs_of, titles, world

__all__ = ["draw", "shown_run", "weights"]

FILE = "projections.parquet"
RUNS = ("multitrain_large", "multitrain")  # the first that there is, as the paper's Table 4 is of the larger model
TEXT = ("run", "method", "scale", "synthetic", "source", "target", "source_class", "target_class")
COLOURS = seaborn.color_palette("vlag", as_cmap=True)
CELL = 0.112  # inches a class, so that a name of 8 points fits
NAMED = 70  # with more classes than this in all, names would not be legible
LETTERS = 25  # of a name
LEAST = 5.5  # inches: of few classes the names and the caption need more than the cells
SIDE = 6.5  # inches of the panels together where they are not named


def shown_run(there: list[str]) -> str:
    """The run that the projection figures show: MultiTrain (large) if it is there."""
    return next((run for run in RUNS if run in there), there[0])


def weights(results: Path) -> tuple[pd.DataFrame, str]:
    """The weights of the run shown, first seed, and what they are: `MultiTrain (large), synthetic ...`."""
    run = shown_run(runs_of(results, FILE))
    rows = read(results, FILE, (*TEXT, "related", "seed", "weight"), run)
    rows = rows[rows["seed"] == rows["seed"].iloc[0]]
    return rows, f"{rows['method'].iloc[0]}, {world(rows)}"


@figure_style.styled
def draw(results: Path) -> Figure:
    """The heat maps of all ordered pairs of datasets on one colour scale, related classes outlined."""
    names = titles(results)
    rows, about = weights(results)
    classes = _classes(rows)
    sizes = [len(its) for its in classes.values()]
    named = sum(sizes) <= NAMED
    side = CELL * sum(sizes) if named else SIDE
    height, width = side + (3.0 if named else 1.9), side + (2.0 if named else 1.0)
    figure = figure_style.new(max(height, LEAST), max(width, LEAST))
    panels = figure.subplots(len(sizes), len(sizes), width_ratios=sizes, height_ratios=sizes, squeeze=False)
    largest = max(float(rows["weight"].abs().max()), 1e-12)
    norm = TwoSlopeNorm(0, -largest, largest)
    pairs = dict(iter(rows.groupby(["source", "target"], sort=False)))
    for line, target in zip(panels, classes, strict=True):
        for axes, source in zip(line, classes, strict=True):
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            if (source, target) in pairs:
                _panel(axes, pairs[source, target], classes[source], classes[target], norm)
            else:
                axes.set_facecolor("0.93")
    _label(panels, classes, names, named)
    scale = ScalarMappable(norm, COLOURS)
    figure.colorbar(scale, ax=panels, location="bottom", shrink=0.5, aspect=40, pad=0.02, label="weight W of Eq. 4")
    related = "related classes outlined" if rows["related"].notna().any() else "which classes are related is not known"
    figure_style.caption(
        figure,
        "Projection weights between the datasets' classes",
        f"Ours: {about}",
        f"A row is a class of the target, a column one of the source; {related}; − marks weights below minus half the"
        " largest",
        "The weight alone says little where logits differ in scale: compare the figure of recovery",
        *(figure_style.note_if_shortened(chain(*classes.values()), LETTERS) if named else []),
    )
    return figure


def _label(panels: np.ndarray, classes: dict[str, list[str]], names: dict[str, str], named: bool) -> None:
    """Datasets around the grid of panels and, if `named`, classes to the left and below."""
    for column, source in enumerate(classes):
        panels[0, column].set_title(f"from {names.get(source, source)}")
        if named:
            its = [figure_style.shorten(name, LETTERS) for name in classes[source]]
            panels[-1, column].set_xticks(range(len(its)), its, rotation=90)
            panels[-1, column].set_xlim(-0.5, len(its) - 0.5)
    for line, target in zip(panels, classes, strict=True):
        line[-1].yaxis.set_label_position("right")
        line[-1].set_ylabel(f"into {names.get(target, target)}", fontsize=figure_style.RC["axes.titlesize"])
        if named:
            its = [figure_style.shorten(name, LETTERS) for name in classes[target]]
            line[0].set_yticks(range(len(its)), its)
            line[0].set_ylim(len(its) - 0.5, -0.5)
    for axes in panels.flat:
        axes.tick_params(length=0)


def _classes(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The classes of every dataset, in the order of the file."""
    found: dict[str, list[str]] = {}
    for side in ("source", "target"):
        for dataset, its in rows.groupby(side, sort=False)[f"{side}_class"]:
            found.setdefault(dataset, list(dict.fromkeys(its)))
    return found


def _panel(axes: Axes, its: pd.DataFrame, sources: list[str], targets: list[str], norm: TwoSlopeNorm) -> None:
    """One matrix (C_target, C_source)."""
    row, column = (
        its[name].map({its: place for place, its in enumerate(classes)}).to_numpy()
        for name, classes in (("target_class", targets), ("source_class", sources))
    )
    matrix = np.full((len(targets), len(sources)), np.nan)
    matrix[row, column] = its["weight"]
    axes.imshow(matrix, cmap=COLOURS, norm=norm, aspect="auto", interpolation="nearest")
    assert norm.vmin is not None  # as it is given
    low = np.argwhere(matrix < norm.vmin / 2)
    axes.plot(low[:, 1], low[:, 0], linestyle="none", marker="_", color="black", markersize=3, markeredgewidth=0.7)
    related = its["related"].fillna(False).to_numpy(dtype=bool)
    axes.add_collection(
        PatchCollection(
            [Rectangle((x - 0.5, y - 0.5), 1, 1) for x, y in zip(column[related], row[related], strict=True)],
            facecolor="none",
            edgecolor="black",
            linewidth=1,
        )
    )
