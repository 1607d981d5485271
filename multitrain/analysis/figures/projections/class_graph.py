"""Graph of the largest projection weights (Table 4): source classes left, target classes right."""

import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from multitrain.analysis.figures import figure_style
from multitrain.analysis.figures.projections.heat_maps import weights
from multitrain.analysis.study.checked_tables import titles

__all__ = ["draw"]

STRONGEST = 5  # pairs of classes a pair of datasets, as the paper lists
COLUMNS = 2
LETTERS = 21  # of a line of a label, of which there are at most two
KINDS: dict[bool | None, tuple[str, LineStyleType, str]] = {
    True: (figure_style.BLUE, "-", "related"),
    False: (figure_style.VERMILION, "--", "not related"),
    None: ("0.5", ":", "not known"),
}


@figure_style.styled
def draw(results: Path) -> Figure:
    """The graph: a panel for each ordered pair of datasets, line widths by weight."""
    names = titles(results)
    rows, about = weights(results)
    pairs = list(dict.fromkeys(zip(rows["source"], rows["target"], strict=True)))
    lines = -(-len(pairs) // COLUMNS)
    figure = figure_style.new(1.1 + 1.62 * lines)
    panels = list(figure.subplots(lines, COLUMNS, squeeze=False).flat)
    largest = max(float(rows["weight"].max()), 1e-12)
    kinds = set()
    for axes, (source, target) in zip(panels, pairs, strict=False):
        its = rows[(rows["source"] == source) & (rows["target"] == target)]
        its = its.sort_values("weight", ascending=False, kind="stable").head(STRONGEST)
        kinds |= _panel(axes, its, largest)
        axes.set_title(f"{names.get(source, source)} to {names.get(target, target)}")
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    marks = [
        Line2D([], [], color=colour, linestyle=line, linewidth=2, label=label)
        for kind, (colour, line, label) in KINDS.items()
        if kind in kinds
    ]
    figure_style.caption(
        figure,
        f"The {STRONGEST} largest projection weights of every pair of datasets",
        f"Ours: {about}",
        f"Left the source's class, right the target's; a line's width is its weight, {largest:.2f} the widest",
        marks=marks,
    )
    return figure


def _panel(axes: Axes, its: pd.DataFrame, largest: float) -> set:
    """Draw the class pairs `its` and return their kinds, related or not."""
    left = list(dict.fromkeys(its["source_class"]))
    first = {name: place for place, name in reversed(list(enumerate(its["source_class"])))}
    right = sorted(set(its["target_class"]), key=lambda name: _mean_place(its, name, first))
    height = {name: _spread(i, len(left)) for i, name in enumerate(left)}
    depth = {name: _spread(i, len(right)) for i, name in enumerate(right)}
    kinds = set()
    for source, target, weight, related in its[["source_class", "target_class", "weight", "related"]].to_numpy():
        kind = None if pd.isna(related) else bool(related)
        kinds.add(kind)
        colour, line, _ = KINDS[kind]
        width = 0.6 + 2.6 * max(weight, 0) / largest
        axes.plot([0, 1], [height[source], depth[target]], color=colour, linestyle=line, linewidth=width)
    for x, places, align in ((-0.04, height, "right"), (1.04, depth, "left")):
        for name, y in places.items():
            axes.text(x, y, _label(name), ha=align, va="center", linespacing=0.95)
    axes.set_xlim(-1.1, 2.1)
    axes.set_ylim(-0.12, 1.12)
    axes.axis("off")
    return kinds


def _mean_place(its: pd.DataFrame, target: str, places: dict[str, int]) -> tuple[float, str]:
    """The mean place of a target's source classes: ordering by it makes few lines cross."""
    sources = its.loc[its["target_class"] == target, "source_class"]
    return sum(places[name] for name in sources) / len(sources), target


def _spread(index: int, count: int) -> float:
    """Evenly spaced heights from 1 down to 0; 0.5 for a single one."""
    return 0.5 if count == 1 else 1 - index / (count - 1)


def _label(name: str) -> str:
    return "\n".join(textwrap.wrap(name, LETTERS, max_lines=2, placeholder="…"))
