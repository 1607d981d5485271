"""Maps of the classes of all datasets by the mean of their features: PCA, and UMAP where umap-learn is installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from multitrain.analysis.figures import figure_style
from multitrain.analysis.projections.class_map import FILE, closest_pairs, nearest, positions
from multitrain.analysis.study.checked_tables import read, world

__all__ = ["PAIRS", "draw"]

PAIRS = 20  # numbered in the maps
HALO = withStroke(linewidth=2, foreground="white")
RINGS = (5, 9, 14, 20, 27, 35, 45)  # points from a line's middle, where its number may be
NEAR = 10  # up to which it is plain what a number is of
NEIGHBOURS = 15  # of UMAP's graph, its default


@figure_style.styled
def draw(results: Path) -> Figure:
    """Two maps by PCA, of z as it is and about each dataset's mean; with umap-learn one more of the latter."""
    means = class_means(results)
    pairs = closest_pairs(nearest(means), PAIRS)
    maps = [
        ("PCA of z", *principal(positions(means, by_dataset=False))),
        ("PCA, each dataset about its own mean", *principal(positions(means, by_dataset=True))),
    ]
    if importlib.util.find_spec("umap"):
        maps.append(("UMAP, each dataset about its own mean", *_umap(positions(means, by_dataset=True))))
    figure = figure_style.new(4.6 if len(maps) == 2 else 8.4)
    grid = figure.add_gridspec(-(-len(maps) // 2), 2)
    panels = []
    for place, (title, points, labels) in enumerate(maps):
        axes = figure.add_subplot(grid[place // 2, place % 2] if place < 2 else grid[1, :])
        panels.append((axes, points, _panel(axes, means, points, pairs)))
        axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=title)
        for (colour, _, marker), title in zip(
            map(figure_style.series, range(20)), means["title"].unique(), strict=False
        )
    ]
    figure_style.caption(
        figure,
        "Classes of all datasets in one space",
        f"Ours: {means['method'].iloc[0]}, {world(means)}",
        "A mark is a class: the mean of z over its test clips",
        f"Lines: the {len(pairs)} closest pairs of two datasets' classes, each the other's nearest, numbered as listed",
        marks=marks,
        columns=5,
    )
    figure.draw_without_rendering()  # where marks and middles are on the page is known from here on
    for axes, points, middles in panels:
        _number(axes, points, middles)
    return figure


def class_means(results: Path) -> pd.DataFrame:
    """The table of class means, checked."""
    return read(
        results, FILE, ("run", "method", "scale", "synthetic", "dataset", "title", "class", "z", "label", "clips")
    )


def principal(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """The first two principal components (C, 2) of centred z (C, D), and the axes' labels.

    The sign of a component is chosen so that its largest entry by size is positive.
    """
    left, sizes, _ = np.linalg.svd(z, full_matrices=False)
    points = np.zeros((len(z), 2))
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    points *= np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1)
    shares = [*(sizes**2 / max((sizes**2).sum(), 1e-300)), 0, 0][:2]
    first, second = (f"component {place + 1}: {share:.0%} of the variance" for place, share in enumerate(shares))
    return points, (first, second)


def _umap(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    import umap  # optional, and slow to import

    mapper = umap.UMAP(n_neighbors=min(NEIGHBOURS, len(z) - 1), random_state=0, n_jobs=1, metric="cosine")
    return np.asarray(mapper.fit_transform(z)), ("", "")


def _panel(axes: Axes, means: pd.DataFrame, points: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Draw marks and lines; the middles (P, 2) of the lines, where their numbers go."""
    place = {key: index for index, key in enumerate(zip(means["dataset"], means["class"], strict=True))}
    joined = [[place[pair[0], pair[1]], place[pair[2], pair[3]]] for pair in pairs.itertuples(index=False)]
    ends = points[np.array(joined, int).reshape(-1, 2)]  # (P, 2, 2)
    for line in ends:
        axes.plot(*line.T, color="0.55", linewidth=0.8, zorder=1)
    for index, name in enumerate(means["dataset"].unique()):
        colour, _, marker = figure_style.series(index)
        its = points[(means["dataset"] == name).to_numpy()]
        axes.scatter(its[:, 0], its[:, 1], color=colour, marker=marker, s=22, linewidths=0, alpha=0.85, zorder=3)
    axes.set_xticklabels([])
    axes.set_yticklabels([])
    return ends.mean(1)


def _number(axes: Axes, points: np.ndarray, middles: np.ndarray) -> None:
    """Number the middles of lines (P, 2) so that no two numbers overlap, and marks (C, 2) are covered if need be.

    Each takes the best of the places around it, all in points; one that is farther off is joined to its middle.
    """
    scale = 72 / axes.figure.dpi
    marks, centres = (axes.transData.transform(its) * scale for its in (points, middles.reshape(-1, 2)))
    low, high = np.asarray(axes.bbox.min) * scale, np.asarray(axes.bbox.max) * scale
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False) + np.pi / 2
    rings = np.concatenate([radius * np.column_stack([np.cos(angles), np.sin(angles)]) for radius in RINGS])
    taken = np.empty((0, 4))  # middle and half the size of each number
    for number, (centre, middle) in enumerate(zip(centres, middles, strict=True), start=1):
        half = np.array([2.7 * len(str(number)) + 0.5, 4.2])
        at = centre + rings  # (places, 2)
        overlaps = (np.abs(at[:, None] - taken[:, :2]) < half + taken[:, 2:]).all(2).sum(1)
        covers = (np.abs(at[:, None] - marks) < half + 1.5).all(2).sum(1)
        outside = ((at - half < low) | (at + half > high)).any(1)
        best = int((100 * (overlaps + outside) + 3 * covers + 0.15 * np.hypot(*rings.T)).argmin())
        taken = np.vstack([taken, [*at[best], *half]])
        axes.annotate(
            str(number),
            tuple(middle),
            xytext=tuple(rings[best]),
            textcoords="offset points",
            ha="center",
            va="center",
            zorder=5,
            path_effects=[HALO],
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "0.3", "shrinkA": 3, "shrinkB": 0}
            if np.hypot(*rings[best]) > NEAR
            else None,
        ).set_in_layout(False)
