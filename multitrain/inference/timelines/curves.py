"""Timeline plot: probability curves of the strongest classes, as a PNG."""

import math
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from multitrain.inference.answers import Timeline

__all__ = ["LOOKS", "RC", "SHOWN", "clock", "curve", "draw"]

# Okabe and Ito's colour-blind safe colours; dashes for print in grey
LOOKS = (
    ("#0072B2", ()),
    ("#D55E00", (6, 2)),
    ("#009E73", (2, 1.5)),
    ("#CC79A7", (7, 2, 2, 2)),
    ("#E69F00", (10, 2)),
    ("#56B4E9", (4, 1.5)),
)
SHOWN = len(LOOKS)  # classes of a dataset
DRAWN = 360  # points of a curve
WIDTH, PANEL = 10.0, 1.9  # inches
RC: dict[Any, object] = {  # the stub lists all keys as literals
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "legend.frameon": False,
}


def curve(timeline: Timeline, dataset: str, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and probabilities of a class at the middles of the moments, constant before the first and after the last.

    Of more than DRAWN moments, neighbours are averaged.
    """
    middles, shares = (_joined(row) for row in (timeline.middles, timeline.scores[dataset][:, index]))
    times = np.concatenate([timeline.times[:1, 0], middles, timeline.times[-1:, 1]])
    return times, np.pad(shares, 1, mode="edge")


def _joined(row: np.ndarray) -> np.ndarray:
    """Means of neighbours, at most DRAWN of them."""
    starts = np.arange(0, len(row), math.ceil(len(row) / DRAWN))
    return np.add.reduceat(row, starts) / np.diff(starts, append=len(row))


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 1:05, from an hour on 1:00:05, with a tenth where there is one: 0:02.5."""
    minutes, tenths = divmod(round(seconds * 10), 600)
    rest = f"{tenths // 10:02}" + (f".{tenths % 10}" if tenths % 10 else "")
    return f"{minutes // 60}:{minutes % 60:02}:{rest}" if minutes >= 60 else f"{minutes}:{rest}"


def draw(timeline: Timeline, title: str, out: Path) -> None:
    """Write a PNG: the strongest classes over time, a panel a dataset."""
    with rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # missing letters are drawn as boxes
        figure = Figure(figsize=(WIDTH, 0.8 + PANEL * len(timeline.scores)), dpi=100, layout="constrained")
        figure.suptitle(textwrap.fill(title, 90).replace("$", r"\$"), fontweight="bold")
        panels = figure.subplots(len(timeline.scores), sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, timeline.scores, strict=True):
            for index, (colour, dashes) in zip(timeline.strongest(name, SHOWN), LOOKS, strict=False):
                label = textwrap.fill(textwrap.shorten(timeline.classes[name][index], 80), 40).replace("$", r"\$")
                style = {"color": colour, "dashes": dashes} if dashes else {"color": colour}
                axes.plot(*curve(timeline, name, index), label=label, linewidth=1.8, **style)
            axes.set_title(timeline.titles[name].replace("$", r"\$"), loc="left", fontweight="bold", fontsize=9)
            axes.set(ylim=(0, 1.02), xlim=(0, timeline.seconds), ylabel="probability")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, handlelength=3, labelspacing=0.3)
        panels[-1].xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 3, 6, 10]))
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        panels[-1].set_xlabel("time in the video")
        figure.savefig(out, format="png", metadata={"Software": None})
