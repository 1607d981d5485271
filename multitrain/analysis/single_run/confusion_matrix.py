"""Confusion matrix: the share of each class's clips by the class that they were taken for."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multitrain.analysis.figures import figure_style
from multitrain.analysis.single_run.confusion import PredictedClasses

__all__ = ["MOST", "draw_confusion", "draw_confusions"]

LETTERS = 28  # of a class name
MOST = 40  # classes; of more, those of the most frequent confusions


def draw_confusion(predicted: PredictedClasses, title: str) -> Figure:
    """The confusion matrix of one dataset as a figure; rows are true classes."""
    return draw_confusions({"": predicted}, title)


def draw_confusions(heads: Mapping[str, PredictedClasses], title: str) -> Figure:
    """Confusion matrices as a figure, a panel a dataset with its title; rows are true classes."""
    shown = {name: _shown(predicted) for name, predicted in heads.items()}
    with rc_context({**figure_style.RC, "axes.grid": False}):
        sizes = [2.2 + 0.19 * len(labels) for labels in shown.values()]
        figure = figure_style.new(sum(sizes))
        panels = figure.subplots(len(heads), 1, squeeze=False, height_ratios=sizes)[:, 0]
        for axes, (name, predicted) in zip(panels, heads.items(), strict=True):
            _panel(figure, axes, predicted, shown[name])
            axes.set_title(name)
        notes = [_note(name, predicted, shown[name]) for name, predicted in heads.items()]
        names = [predicted.classes[label] for name, predicted in heads.items() for label in shown[name]]
        figure_style.caption(figure, title, *notes, *figure_style.note_if_shortened(names, LETTERS))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _panel(figure: Figure, axes: Axes, predicted: PredictedClasses, shown: list[int]) -> None:
    counts = predicted.matrix()
    shares = counts[shown][:, shown] / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    names = [figure_style.shorten(predicted.classes[label], LETTERS) for label in shown]
    picture = axes.imshow(100 * shares, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(shown)), names, rotation=90)
    axes.set_yticks(range(len(shown)), names)
    axes.set(xlabel="answered", ylabel="true class")
    if len(shown) <= MOST // 2:
        for row, column in np.argwhere(shares > 0):
            share = shares[row, column]
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color="kw"[int(share < 0.6)])
    figure.colorbar(picture, ax=axes, label="clips of the true class (%)", fraction=0.03)


def _note(name: str, predicted: PredictedClasses, shown: list[int]) -> str:
    """Clips a class, and which classes a panel shows."""
    clips = predicted.matrix().sum(axis=1)
    each = f"{clips.min()} to {clips.max()}" if clips.min() < clips.max() else f"{clips.min()}"
    part = f"; {len(shown)} of {len(predicted.classes)} classes: those of the most frequent confusions"
    return f"{name}{': ' * bool(name)}{each} clips a class{part * (len(shown) < len(predicted.classes))}"


def _shown(predicted: PredictedClasses) -> list[int]:
    """Labels of the classes that are drawn."""
    if len(predicted.classes) <= MOST:
        return list(range(len(predicted.classes)))
    pairs = [label for each in predicted.worst(2 * MOST) for label in (each.true, each.answered)]
    return sorted(list(dict.fromkeys(pairs))[:MOST])
