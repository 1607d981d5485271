"""Tables (pandas Stylers) and pictures of notebooks and the index page."""

from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from multitrain.analysis.figures import FIGURES, figure_style
from multitrain.analysis.render.cells import NONE, Estimated, chance, difference, p_value, percent, signed
from multitrain.analysis.render.html import SYNTAX, frame, styled
from multitrain.analysis.render.sheet import Cell, Piece, Styled
from multitrain.analysis.render.table_files import read_frame as read
from multitrain.analysis.render.table_files import read_rows
from multitrain.analysis.study.checked_tables import titles, world
from multitrain.analysis.tables.table_layout import Line, lines, our_rows_of
from multitrain.common.errors import UserError

__all__ = [
    "accuracy",
    "claims",
    "draw",
    "frame",
    "pairs",
    "photograph",
    "picture",
    "read",
    "titles",
    "warning",
    "world",
]

DPI = 130
PUBLISHED = "color: #4a5159; background-color: #f1f3f5"
VERDICTS = {"holds": "color: #0a6640; font-weight: 600", "does not hold": "color: #a3260b; font-weight: 600"}


def warning(rows: pd.DataFrame) -> str:
    """Markdown to stand before a table or figure that has published and synthetic numbers; "" for real ones."""
    if "yes" not in set(rows["synthetic"]):
        return ""
    return (
        f"> **Ours are from the {world(rows)}.** They show that the pipeline works and how the methods compare in"
        " that world; a difference between a published row and one of ours means nothing."
    )


def accuracy(results: Path, name: str, names: dict[str, str], only_ours: bool = False) -> Styler:
    """Table 1, 2 or 3: a row a method, with projections one more for Y'_k; a column a dataset, called by `names`."""
    path = results / f"{name}.csv"
    rows = read_rows(path, ["source", "method", "dataset", "top1", "top1_projected", "synthetic"])
    ours = our_rows_of(rows)
    if not ours:
        raise UserError(f"{path}: no rows of ours: run `snakemake {path}`")
    try:
        found = lines(ours if only_ours else rows)
        shown = pd.DataFrame([_line(line, names) for line in found]).fillna(NONE)
    except KeyError as error:
        raise UserError(f"{path}: not a table of this version (no {error}): delete and make it again") from None
    where = world(read(path).query("source == 'ours'"))
    if any(row["synthetic"] == "yes" for row in ours):
        shown["Source"] = shown["Source"].replace("ours", "ours, synthetic")
    said = (
        f"Top-1 / top-5 in percent. Ours: {escape(where)}, with 95% intervals over videos; decided by Yₖ, the"
        " dataset's own head, or by Y′ₖ, Eq. 4's sum."
    )
    look = styled(shown.drop(columns="Source") if only_ours else shown, name, said)
    shades = [PUBLISHED if line.source != "ours" else "" for line in found]
    return look.apply(lambda row: [shades[row.name]] * len(row), axis=1)


def _line(line: Line, names: dict[str, str]) -> dict[str, str]:
    """A line's cells by column, HTML already."""
    score = "" if line.source != "ours" else "Y′ₖ" if line.projected else "Yₖ"
    data, gflops = ("", "") if line.projected else ("; ".join(line.training_data), line.gflops)
    cells: dict[str, Cell]
    cells = {"Source": line.source, "Method": line.method, "By": score, "Training data": data, "gFLOPs": gflops}
    cells |= {names[dataset]: _cell(value) for dataset, value in line.values.items() if dataset in names}
    return {name: SYNTAX.cell(cell) for name, cell in cells.items()}


def _cell(value: Piece | tuple[Estimated, Estimated]) -> Cell:
    if not isinstance(value, tuple):
        return value
    intervals = (f"{percent(each.low)}–{percent(each.high)}" for each in value)
    return " / ".join(each.with_std for each in value), Styled(" / ".join(intervals), "small")


def claims(results: Path, name: str, chosen: pd.Series | None = None) -> Styler:
    """Claims of the paper with their computed verdicts, each before its datasets; `chosen` rows of claims.csv."""
    needs = ["claim", "text", "part", "difference", "p_adjusted", "verdict", "verdict_projected"]
    table = read(results / "claims.csv", needs)
    table = (table if chosen is None else table[chosen]).reset_index(drop=True)
    again = table["claim"].eq(table["claim"].shift())
    shown = {"Claim": [_claim(row) for _, row in table.iterrows()], "Comparison": table["part"].map(escape)}
    shown["Paper"] = table["paper_difference"].map(signed)
    for head, suffix in (("Yₖ", ""), ("Y′ₖ", "_projected")):
        value, low, high = (table[f"{key}{suffix}"] for key in ("difference", "low", "high"))
        numbers = zip(value, low, high, strict=True)
        shown[f"Ours, {head}"] = [difference(*its, none="", around="<small>[{}]</small>") for its in numbers]
        shown[f"Adjusted p, {head}"] = [escape(p_value(value)) for value in table[f"p_adjusted{suffix}"]]
        shown[f"Verdict, {head}"] = table[f"verdict{suffix}"].replace("", NONE)
    shown["P(holds) if the paper is right, Yₖ"] = table["holds_if_paper_right"].map(chance)
    frame = pd.DataFrame(shown).assign(Claim=lambda its: its["Claim"].mask(again, ""))
    caption = f"Differences of top-1 in points [95% paired t interval]; ours: {escape(world(table))}."
    look = styled(frame, name, caption).map(lambda text: VERDICTS.get(text, ""), subset=["Verdict, Yₖ", "Verdict, Y′ₖ"])
    return look.set_properties(subset=["Claim"], **{"min-width": "220px"})


def pairs(lines: Sequence[tuple[str, Sequence[tuple[str, bool]]]], name: str, caption: str) -> Styler:
    """Table 4's layout: a line's head, and its items, bold where they are marked."""
    cells = [tuple(Styled(text, "bold") if marked else text for text, marked in items) for _, items in lines]
    columns = {"Source → target": [head for head, _ in lines], "Class pairs": cells}
    return styled(pd.DataFrame(columns).map(SYNTAX.cell), name, escape(caption))


def draw(results: Path, name: str) -> None:
    """Draw one of FIGURES from the results and show it below a notebook's cell, in parts that fit on a page each."""
    with rc_context(figure_style.RC):
        for figure in FIGURES[name].parts(results):
            picture(figure, FIGURES[name].output.caption, narrow=bool(figure.get_figwidth() < figure_style.WIDTH))


def picture(figure: Figure, alt: str, narrow: bool = False) -> None:
    """Show a figure below a notebook's cell, with a description for those who cannot see it.

    A narrow one is shown whole on a phone; others are wider than its screen, and are moved below it.
    """
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    _show(stream.getvalue(), "png", alt, narrow)


def photograph(path: Path, alt: str) -> None:
    """Show a JPEG of the results below a notebook's cell."""
    if not path.is_file():
        raise UserError(f"{path}: no such file: run `snakemake {path}` first")
    _show(path.read_bytes(), "jpeg", alt)


def _show(content: bytes, kind: str, alt: str, narrow: bool = False) -> None:
    from IPython.display import Image, display  # only where there is a notebook

    display(
        Image(content, format=kind),
        metadata={f"image/{kind}": {"alt": alt, **({"unconfined": True} if narrow else {})}},
    )


def _claim(row: pd.Series) -> str:
    verdicts = [(head, row[f"claim_verdict{key}"]) for head, key in (("Yₖ", ""), ("Y′ₖ", "_projected"))]
    said = "; ".join(f"{head}: {verdict}" for head, verdict in verdicts if verdict)
    return f"{escape(row['text'])}<br><b>{said}</b>"
