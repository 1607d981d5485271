"""Maps of the classes of all datasets by the mean of their features: PCA, and UMAP where umap-learn is installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from multitrain.analysis.class_map import FILE, closest_pairs, nearest, positions
from multitrain.analysis.figures import style
from multitrain.analysis.figures.inputs import read, world

INPUTS = (FILE,)
PAIRS = 20  # numbered in the maps
HALO = withStroke(linewidth=2, foreground="white")
NEIGHBOURS = 15  # of UMAP's graph, its default


@style.styled
def draw(results: Path) -> Figure:
    """Two maps by PCA, of z as it is and about each dataset's mean; with umap-learn one more of the latter."""
    means = class_means(results)
    pairs = closest_pairs(nearest(means), PAIRS)
    maps = [
        ("PCA of z", *principal(positions(means, apart=True))),
        ("PCA, each dataset about its own mean", *principal(positions(means, apart=False))),
    ]
    if importlib.util.find_spec("umap"):
        maps.append(("UMAP, each dataset about its own mean", *_umap(positions(means, apart=False))))
    figure = style.new(4.6 if len(maps) == 2 else 8.4)
    grid = figure.add_gridspec(-(-len(maps) // 2), 2)
    for place, (title, points, labels) in enumerate(maps):
        axes = figure.add_subplot(grid[place // 2, place % 2] if place < 2 else grid[1, :])
        _panel(axes, means, points, pairs)
        axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=title)
        for (colour, _, marker), title in zip(map(style.series, range(20)), means["title"].unique(), strict=False)
    ]
    style.caption(
        figure,
        "Classes of all datasets in one space",
        f"Ours: {world(means)}, run {means['run'].iloc[0]}",
        "A mark is a class: the mean of z over its test clips",
        f"Lines: the {len(pairs)} closest pairs of two datasets' classes, each the other's nearest, numbered as listed",
        marks=marks,
        columns=5,
    )
    return figure


def class_means(results: Path) -> pd.DataFrame:
    """The table of class means, checked."""
    return read(results, FILE, ("run", "scale", "synthetic", "dataset", "title", "class", "z"), ("label", "clips"))


def principal(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """The first two principal components (C, 2) of centred z (C, D), and the axes' labels.

    The sign of a component is chosen so that its largest entry by size is positive.
    """
    left, sizes, _ = np.linalg.svd(z, full_matrices=False)
    points = np.zeros((len(z), 2))
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    points *= np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1)
    shares = [*(sizes**2 / max((sizes**2).sum(), 1e-300)), 0, 0][:2]
    return points, tuple(f"component {place + 1}: {share:.0%} of the variance" for place, share in enumerate(shares))


def _umap(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    import umap  # optional, and slow to import

    mapper = umap.UMAP(n_neighbors=min(NEIGHBOURS, len(z) - 1), random_state=0, n_jobs=1, metric="cosine")
    return np.asarray(mapper.fit_transform(z)), ("", "")


def _panel(axes: Axes, means: pd.DataFrame, points: np.ndarray, pairs: pd.DataFrame) -> None:
    place = {key: index for index, key in enumerate(zip(means["dataset"], means["class"], strict=True))}
    for number, pair in enumerate(pairs.itertuples(index=False), start=1):
        ends = points[[place[pair[0], pair[1]], place[pair[2], pair[3]]]]  # (2, 2)
        axes.plot(*ends.T, color="0.55", linewidth=0.8, zorder=1)
        middle, above = tuple(ends.mean(0)), {"xytext": (0, 5), "textcoords": "offset points"}
        axes.annotate(str(number), middle, **above, ha="center", va="center", zorder=4, path_effects=[HALO])
    for index, name in enumerate(means["dataset"].unique()):
        colour, _, marker = style.series(index)
        its = points[(means["dataset"] == name).to_numpy()]
        axes.scatter(*its.T, color=colour, marker=marker, s=22, linewidths=0, alpha=0.85, zorder=3)
    axes.set_xticklabels([])
    axes.set_yticklabels([])
