"""Forest plot of the claims: intervals against no difference and the margin of equivalence."""

import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from multitrain.analysis.figures import figure_style
from multitrain.analysis.study.checked_tables import only, read, world
from multitrain.analysis.study.run_names import ranges

__all__ = ["draw", "parts"]

FILE = "claims.csv"
TEXT = ("claim", "primary", "same_fact_as", "stated_by", "text", "scope", "label", "verdict", "claim_verdict", "seeds")
NUMBERS = ("difference", "low", "high", "paper_difference", "margin")
OWN = "0.2"  # grey of the mean and of the verdict: colours are those of the datasets
WIDTH = 5.2  # inches: texts stand above their intervals, so that a phone can show it whole
LETTERS = 62  # of a line of a claim's text, beside its verdict
LINE, SMALL, GAP, HEAD = 0.15, 0.07, 0.1, 0.26  # inches: a line of text, a dataset, between claims, a heading
WIDEST = 60  # points: a wider interval is cut at the axis' end
FAR = 10  # points beyond ours: a difference of the paper's that is farther stands at the axis' end, as an arrow


@figure_style.styled
def draw(results: Path) -> Figure:
    """The forest plot: each claim's mean large, its datasets small below it, primary claims first."""
    return _figure(_groups(_read(results)))


def parts(results: Path) -> list[Figure]:
    """The forest plot as one figure for each group of claims."""
    return [_part(results, {name: its}) for name, its in _groups(_read(results)).items()]


def _part(results: Path, groups: dict[str, list[pd.DataFrame]]) -> Figure:
    return figure_style.styled(lambda _: _figure(groups))(results)


def _read(results: Path) -> pd.DataFrame:
    rows = read(results, FILE, (*TEXT, *NUMBERS, "scale", "synthetic"))
    return only(rows, results / FILE, "claim with a difference", rows["difference"].notna())


def _figure(groups: dict[str, list[pd.DataFrame]]) -> Figure:
    rows = pd.concat([its for claims in groups.values() for its in claims])
    labels = list(dict.fromkeys(rows.loc[rows["scope"] == "dataset", "label"]))
    heights = [HEAD + sum(map(_height, its)) for its in groups.values()]
    figure = figure_style.new(2.2 + sum(heights), WIDTH)
    axes = figure.subplots()
    _axis(axes, rows)
    place = 0.0
    for (title, claims), height in zip(groups.items(), heights, strict=True):
        axes.text(0, place + 0.6 * HEAD, title, transform=axes.get_yaxis_transform(), weight="bold", va="center")
        end, place = place + height, place + HEAD
        for its in claims:
            _claim(axes, its, place, labels)
            place += _height(its)
        place = end
    axes.set_ylim(place, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _explain(figure, rows, labels)
    return figure


def _groups(rows: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """The claims by heading; one of the same fact follows the claim that it shares."""
    whole = rows[rows["scope"] == "claim"].set_index("claim")
    heads = whole["same_fact_as"].where(whole["same_fact_as"].isin(whole.index), whole.index.to_series())
    own = "Not in the paper" if _of_paper(rows) else "Claims"
    titles: dict[str, list[pd.DataFrame]]
    titles = {"Primary claims": [], "Other claims of the paper": [], own: []}
    for head in dict.fromkeys(heads):
        by_us, primary = whole.loc[head, "stated_by"] == "us", whole.loc[head, "primary"] == "yes"
        title = own if by_us else "Primary claims" if primary else "Other claims of the paper"
        titles[title] += [rows[rows["claim"] == name] for name in heads.index[heads == head]]
    return {title: its for title, its in titles.items() if its}


def _of_paper(rows: pd.DataFrame) -> bool:
    """Whether any claim is the paper's; a study of one's own has claims of its own alone."""
    return bool((rows["stated_by"] == "paper").any())


def _text(its: pd.DataFrame) -> list[str]:
    first = its.iloc[0]
    mark = "↳ " if first["same_fact_as"] else ""
    return textwrap.wrap(f"{mark}{first['text']}", LETTERS)


def _height(its: pd.DataFrame) -> float:
    return GAP + LINE * (len(_text(its)) + 1) + SMALL * (len(its) - 1)


def _claim(axes: Axes, its: pd.DataFrame, top: float, labels: list[str]) -> None:
    """Draw a claim from `top` downwards: text and verdict, the mean's interval, then the datasets' intervals."""
    first, text = its.iloc[0], _text(its)
    said: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "top", "zorder": 5}
    axes.text(0, top, "\n".join(text), linespacing=1.1, **said)
    axes.text(1, top, first["claim_verdict"], ha="right", color=OWN, weight="bold", **said)
    at = top + LINE * (len(text) + 0.5)
    _interval(axes, first, at, OWN, 2)
    axes.plot(first["difference"], at, "s", color=OWN, markersize=6, zorder=4)
    if pd.notna(paper := first["paper_difference"]):
        end = axes.get_xlim()[int(paper > 0)]
        beyond, arrow = abs(paper) > abs(end), ">" if paper > 0 else "<"
        where, marker = (end, arrow) if beyond else (paper, "x")
        axes.plot(where, at, marker, color="0.5", markersize=5, zorder=3)
    for place, (_, row) in enumerate(its.iloc[1:].iterrows(), start=1):
        below = at + LINE / 2 + SMALL * (place - 0.5)
        own, _, marker = figure_style.series(labels.index(row["label"]))
        _interval(axes, row, below, own, 0.8)
        axes.plot(row["difference"], below, marker, color=own, markersize=3.5, zorder=3)


def _interval(axes: Axes, row: pd.Series, at: float, colour: str, width: float) -> None:
    if pd.notna(row["low"]):
        axes.hlines(at, row["low"], row["high"], color=colour, linewidth=width, zorder=2)


def _axis(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the axis with the margin and the line of no difference; intervals are cut at WIDEST points."""
    margin = rows["margin"].max()
    axes.axvspan(-margin, margin, color="0.9", zorder=0)
    axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
    ours = rows["difference"]
    bounds = pd.concat([rows["low"], rows["high"], ours, pd.Series([-2 * margin, 2 * margin])]).dropna()
    low, high = min(ours.min(), max(bounds.min(), -WIDEST)), max(ours.max(), min(bounds.max(), WIDEST))
    paper = rows["paper_difference"].dropna()
    near = paper[paper.between(low - FAR, high + FAR)]
    low, high = min([low, *near]), max([high, *near])
    axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    axes.set_xlabel("left - right of the claim, points of top-1 (Yₖ)")


def _explain(figure: Figure, rows: pd.DataFrame, labels: list[str]) -> None:
    seeds = sorted(set(rows["seeds"]), key=len)
    counts = " to ".join(dict.fromkeys(str(len(its)) for its in (seeds[0], seeds[-1])))
    one = len(seeds[0]) == 1
    marks: list[Artist] = [Line2D([], [], color=OWN, marker="s", linewidth=2, label="mean over the claim's datasets")]
    marks += [
        Line2D([], [], color=colour, marker=marker, linewidth=0.8, markersize=3.5, label=label)
        for label, (colour, _, marker) in zip(labels, map(figure_style.series, range(len(labels))), strict=True)
    ]
    if rows["paper_difference"].notna().any():
        marks += [Line2D([], [], color="0.5", marker="x", linestyle="none", label="the paper's own (< >: beyond)")]
    marks += [Patch(color="0.9", label=f"margin of equivalence, {rows['margin'].max():g} points")]
    figure_style.caption(
        figure,
        "The paper's claims: our differences" if _of_paper(rows) else "Claims: the differences",
        f"Ours: {world(rows)}",
        f"{counts} seed{'s' * (counts != '1')} a claim ({ranges({each for its in seeds for each in its})}); lines: "
        + (
            "95% intervals of videos only, as with one seed nothing is known of other trainings"
            if one
            else "95% intervals over seeds and videos"
        ),
        "A verdict goes by the p value corrected for the number of claims, not by the interval drawn"
        + ("; one seed gives none" if one else ""),
        "No line: no answer differs from another, so that there is no interval",
        "A claim with points of its own is drawn with them taken off",
        marks=marks,
        columns=2,
    )
