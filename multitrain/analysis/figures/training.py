"""Training figure: loss terms, sigma, gradient norm and learning rate by step; accuracy on val where it was scored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import only, read, titles, world

__all__ = ["draw"]

FILE = "training.parquet"
METHODS = ("MultiTrain", "Vanilla", "w/o Informative Loss")  # the first one's sigma is shown
SHARED = {  # column: what it is called
    "total": "total loss",
    "variance": "variance term Lᵛ",
    "covariance": "covariance term Lᶜ (log)",
    "gradient_norm": "gradient norm (log)",
    "rate": "learning rate",
}
VAL = "val"  # column of the mean over datasets
INFORMATIVE = ("variance", "covariance")  # terms of the method alone; what others record there is not of z'
LOG = ("covariance", "gradient_norm")
WINDOWS = 30  # the smoothed line averages over this part of a run
COLUMNS = 2


@figure_style.styled
def draw(results: Path) -> Figure:
    """Raw values light, a running mean dark; the terms that only some methods train on are shown for all."""
    names = titles(results)
    rows = read(results, FILE, ("method", "scale", "synthetic", "seed", "step", "clips", *SHARED))
    there = list(dict.fromkeys(rows["method"]))
    methods = METHODS if METHODS[0] in there else there[: len(METHODS)]  # a study's own joint runs have other names
    rows = only(rows, results / FILE, f"steps of {methods[0]}", rows["method"].isin(methods))
    own = only(rows, results / FILE, f"steps of {methods[0]}", rows["method"] == methods[0])
    datasets = [
        column.removeprefix("sigma.")
        for column in own
        if column.startswith("sigma.") and own[column].notna().any() and f"classification.{column[6:]}" in own
    ]
    rows = rows.assign(**{VAL: 100 * rows.filter(regex=r"^val\.").mean(axis=1)})
    scored = rows[VAL].notna().any()
    count = len(SHARED) + len(datasets) + 1 + scored
    lines = -(-count // COLUMNS)
    figure = figure_style.new(1.2 + 1.75 * lines)
    panels = list(figure.subplots(lines, COLUMNS, squeeze=False, sharex=True).flat)
    columns = {"total": SHARED["total"]}
    columns |= {f"classification.{name}": f"{names.get(name, name)}: Lₖ" for name in datasets}
    columns |= {name: title for name, title in SHARED.items() if name != "total"}
    columns |= {VAL: "top-1 on val (%), mean over datasets"} if scored else {}
    for axes, (column, title) in zip(panels, columns.items(), strict=False):
        axes.set_title(title)
        for place, method in enumerate(methods[:1] if column in INFORMATIVE else methods):
            colour, line, _ = figure_style.series(place)
            _line(axes, rows[rows["method"] == method], column, colour, line, raw=not place)
        if (name := column.removeprefix("classification.")) in datasets and f"per_clip.{name}" in own:
            _per_clip(axes, own, name)
        if column in LOG and (rows[column] > 0).all():
            axes.set_yscale("log")
            figure_style.plain_log(axes.yaxis)
    sigma = panels[len(columns)]
    sigma.set_title(f"σₖ of {methods[0]}")
    for place, name in enumerate(datasets):
        colour, line, marker = figure_style.series(len(methods) + place)
        _line(sigma, own, f"sigma.{name}", colour, line, raw=False, marker=marker, label=names.get(name, name))
    sigma.legend(ncols=2, handlelength=2.5, columnspacing=1)
    for axes in panels[count:]:
        axes.set_visible(False)
    for place, axes in enumerate(panels[:count]):
        axes.tick_params(labelbottom=place + COLUMNS >= count)
        if place + COLUMNS >= count:
            axes.set_xlabel("step")
    _explain(figure, rows, methods)
    return figure


def _per_clip(axes: Axes, own: pd.DataFrame, name: str) -> None:
    """A second axis: the mean loss of a clip of the dataset, which L_k is times its share of the training clips."""
    share = own[f"classification.{name}"].sum() / own[f"per_clip.{name}"].sum()
    if share > 0:
        axes.secondary_yaxis("right", functions=(lambda value: value / share, lambda value: value * share))


def _line(
    axes: Axes, rows: pd.DataFrame, column: str, colour: str, line: LineStyleType, raw: bool, **marked: Any
) -> None:
    """Draw a column over steps: the seeds' smoothed mean; with `raw` also each seed's values, light."""
    values = rows.pivot_table(index="step", columns="seed", values=column)
    if values.empty:
        return
    if raw:
        axes.plot(values.index, values, color=colour, linewidth=0.4, alpha=0.3)
    window = max(1, len(values) // WINDOWS)
    smooth = values.mean(axis=1).rolling(window, center=True, min_periods=1).mean()
    axes.plot(
        smooth.index,
        smooth,
        color=colour,
        linestyle=line,
        linewidth=2 if raw else 1.3,
        markersize=4,
        markevery=max(1, len(values) // 6),
        **marked,
    )


def _explain(figure: Figure, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    there = [method for method in methods if (rows["method"] == method).any()]
    marks = [
        Line2D([], [], color=colour, linestyle=line, linewidth=1.3 if place else 2, label=method)
        for place, (method, (colour, line, _)) in enumerate(zip(methods, figure_style.SERIES, strict=False))
        if method in there
    ]
    figure_style.caption(
        figure,
        "Training of the joint runs",
        f"Ours: {world(rows)}, {int(rows['clips'].max()):,} training clips",
        f"Light: {methods[0]} as recorded; dark: running mean over 1/{WINDOWS} of the run, of the mean over seeds",
        "The total of runs with learned σₖ holds log σₖ and can fall below 0; totals of different methods are"
        " different sums",
        f"Lᵛ and Lᶜ, unweighted, are terms of {methods[0]} alone; right of Lₖ: the mean loss of a clip of the dataset",
        marks=marks,
    )
