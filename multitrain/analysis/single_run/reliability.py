"""Reliability plot: accuracy over the probability of the answer, a panel a head."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multitrain.analysis.figures import figure_style
from multitrain.analysis.single_run.calibration import BINS, Calibration

__all__ = ["draw_reliability"]


def draw_reliability(heads: Mapping[str, Calibration], title: str) -> Figure:
    """The figure; `heads` are named as the panels."""
    with rc_context(figure_style.RC):
        columns = min(len(heads), 2)
        rows = -(-len(heads) // columns)
        figure = figure_style.new(1.1 + 2.9 * rows, 2.3 + 2.6 * columns)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, (name, its) in zip(panels.flat, heads.items(), strict=False):
            _panel(axes, name, its)
        for axes in panels.flat[len(heads) :]:
            axes.set_visible(False)
        for axes in panels[:, 0]:
            axes.set_ylabel("answers that are right")
        for axes in panels[-1]:
            axes.set_xlabel("probability of the answer")
        figure_style.caption(
            figure,
            title,
            "On the diagonal a probability is what it says; above it the head is too unsure, below too sure",
            f"Points: clips in {BINS} bins of equal width, larger for more clips; lines: 95% intervals over videos",
            "Calibrated: the ECE that a head on the diagonal has with as many clips, by chance",
        )
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _panel(axes: Axes, name: str, its: Calibration) -> None:
    axes.plot((0, 1), (0, 1), color="0.4", linewidth=0.8, zorder=1)
    clips = np.array([each.clips for each in its.bins])
    at = [each.confidence for each in its.bins]
    for each in its.bins:
        figure_style.interval(axes, each.low, each.high, each.confidence, figure_style.BLUE, horizontal=False)
    axes.scatter(
        at, [each.accuracy for each in its.bins], 10 + 90 * clips / clips.max(), figure_style.BLUE, zorder=3, alpha=0.8
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), title=name)
    axes.text(
        *(0.98, 0.03),
        f"ECE {100 * its.ece:.1f} % (calibrated: {100 * its.ece_calibrated:.1f} %)\n"
        f"probability {100 * its.confidence:.1f} %, right {100 * its.accuracy:.1f} %",
        ha="right",
    )
