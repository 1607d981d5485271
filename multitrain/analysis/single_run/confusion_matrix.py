"""Confusion matrix: the share of each class's clips by the class that they were taken for."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from multitrain.analysis.figures import figure_style
from multitrain.analysis.single_run.confusion import PredictedClasses

__all__ = ["MOST", "draw_confusion"]

LETTERS = 28  # of a class name
MOST = 40  # classes; of more, those of the most frequent confusions


def draw_confusion(predicted: PredictedClasses, title: str) -> Figure:
    """The confusion matrix as a figure; rows are true classes."""
    shown = _shown(predicted)
    counts = predicted.matrix()
    shares = counts[shown][:, shown] / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    names = [predicted.classes[label] for label in shown]
    labels = [figure_style.shorten(name, LETTERS) for name in names]
    with rc_context({**figure_style.RC, "axes.grid": False}):
        figure = figure_style.new(2.2 + 0.19 * len(shown))
        axes = figure.subplots()
        picture = axes.imshow(100 * shares, cmap="viridis", vmin=0, vmax=100, aspect="auto")
        axes.set_xticks(range(len(shown)), labels, rotation=90)
        axes.set_yticks(range(len(shown)), labels)
        axes.set(xlabel="answered", ylabel="true class")
        if len(shown) <= MOST // 2:
            for row, column in np.argwhere(shares > 0):
                share = shares[row, column]
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color="kw"[int(share < 0.6)])
        figure.colorbar(picture, ax=axes, label="clips of the true class (%)", fraction=0.03)
        part = [f"{len(shown)} of {len(predicted.classes)} classes: those of the most frequent confusions"]
        clips = counts.sum(axis=1)
        each = f"{clips.min()} to {clips.max()}" if clips.min() < clips.max() else f"{clips.min()}"
        notes = [f"{each} clips a class", *(part if len(shown) < len(predicted.classes) else [])]
        figure_style.caption(figure, title, *notes, *figure_style.note_if_shortened(names, LETTERS))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _shown(predicted: PredictedClasses) -> list[int]:
    """Labels of the classes that are drawn."""
    if len(predicted.classes) <= MOST:
        return list(range(len(predicted.classes)))
    pairs = [label for each in predicted.worst(2 * MOST) for label in (each.true, each.answered)]
    return sorted(list(dict.fromkeys(pairs))[:MOST])
