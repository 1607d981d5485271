"""Style of the figures: series differ in colour and, in grey, in marker, line and fill."""

import functools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import LineStyleType
from PIL import Image

from multitrain.analysis.accuracy.metrics import LEVEL

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "INTERVAL",
    "ORANGE",
    "PURPLE",
    "RC",
    "SERIES",
    "SKY",
    "VERMILION",
    "WIDTH",
    "caption",
    "interval",
    "new",
    "note_if_shortened",
    "plain_log",
    "save",
    "series",
    "shorten",
    "styled",
]

RC: dict[Any, object] = {  # the stub lists all keys as literals
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
}
WIDTH = 7.5  # inches, of a printed page
DPI = 150
LINE = 0.16  # inches, of letters of 8 points
BOLD = 11  # letters of a title on an inch

# Okabe and Ito's colours, which the colour-blind tell apart
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = [
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
]
SERIES: tuple[tuple[str, LineStyleType, str], ...] = (  # colour, line, marker: in grey the lines and markers differ
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, ":", "^"),
    (PURPLE, "-.", "D"),
    (BLACK, (0, (1, 2, 4, 2)), "v"),
    (ORANGE, (0, (6, 2)), "P"),
    (SKY, (0, (1, 1)), "X"),
)
INTERVAL = f"{LEVEL:.0%} intervals over videos, and over seeds where there are several"


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """A decorator that draws in this style, independent of the user's matplotlib settings."""

    @functools.wraps(draw)
    def inside(results: Path, *tables: Sequence[str]) -> Figure:
        with rc_context(RC):
            figure = draw(Path(results), *tables)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # what is laid out stays, which saves time at each rendering
        return figure

    return inside


def new(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of a size in inches, with constrained layout."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def caption(figure: Figure, title: str, *notes: str, marks: Sequence[Artist] = (), columns: int = 3) -> None:
    """Add the title above the legend, and notes below the figure."""
    if marks:
        bold = {"weight": "bold", "size": RC["figure.titlesize"]}
        figure.legend(
            handles=marks,
            loc="outside upper center",
            ncols=columns,
            title=title,
            title_fontproperties=bold,
            handlelength=3,
        )
    else:
        figure.suptitle(textwrap.fill(title, int(figure.get_figwidth() * BOLD)), fontweight="bold")
    wrapped = textwrap.fill(". ".join(notes) + ".", int(figure.get_figwidth() * 17))
    figure.supxlabel(wrapped, fontsize=8, color="0.25", x=0.01, ha="left")


def save(figure: Figure, path: Path, head: str = "") -> None:
    """Write a PNG with an optional line `head` above the figure; the same figure gives the same bytes."""
    if not head:
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
        return
    width = figure.get_figwidth()
    lines = textwrap.wrap(head, int(width * BOLD))
    above = Figure(figsize=(width, LINE * (len(lines) + 1)), dpi=DPI)
    above.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", color=VERMILION, weight="bold")
    pictures = []
    for part in (above, figure):
        stream = BytesIO()
        part.savefig(stream, format="png", dpi=DPI)
        pictures.append(Image.open(stream).convert("RGB"))
    whole = Image.new("RGB", (pictures[1].width, sum(picture.height for picture in pictures)), "white")
    whole.paste(pictures[0], (0, 0))
    whole.paste(pictures[1], (0, pictures[0].height))
    whole.save(path, "PNG", dpi=(DPI, DPI))


def series(index: int) -> tuple[str, LineStyleType, str]:
    """Colour, line and marker of the series with this index."""
    return SERIES[index % len(SERIES)]


def interval(axes: Axes, low: float, high: float, at: float, colour: str, horizontal: bool = True) -> None:
    """Draw an interval as a thin line from low to high."""
    line = axes.hlines if horizontal else axes.vlines
    line(at, low, high, color=colour, linewidth=1, zorder=2)


def plain_log(axis: Axis, long: tuple[int, ...] = (1, 3)) -> None:
    """Plain numbers as ticks of a logarithmic axis; over more than a decade only those that begin with `long`."""
    low, high = axis.get_view_interval()
    if high / low < 1000:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 10 else long))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def shorten(text: str, width: int) -> str:
    """At most `width` characters: `sth` for something, then cut in the middle, as the ends tell names apart."""
    if len(text) > width:
        text = text.replace("something", "sth").replace("Something", "Sth")
    if len(text) > width:
        tail = (width - 1) // 3
        text = f"{text[: width - 1 - tail].rstrip()}…{text[-tail:].lstrip()}"
    return text


SHORTENED = "Long class names are shortened (sth: something)"


def note_if_shortened(names: Iterable[str], width: int) -> list[str]:
    """The caption's note SHORTENED where `shorten` changes one of the names; none where all are shown whole."""
    return [SHORTENED] if any(len(name) > width for name in names) else []
