"""What notebooks and the index page show: tables as pandas Stylers that carry their own look, and pictures."""

from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
from matplotlib import rc_context
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from multitrain.analysis.claims_markdown import p_text
from multitrain.analysis.figures import FIGURES, style
from multitrain.analysis.figures.inputs import titles, world
from multitrain.errors import UserError

__all__ = [
    "CAPTIONS",
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

CAPTIONS = {  # of the figures, which are for those who do not see them too
    "forest": "Our difference for every claim of the paper, with its interval, against the margin of equivalence.",
    "spread": "Top-1 of every training by method and dataset: how much seeds differ.",
    "plateau": "Training loss of every method over its schedule, and val of longer schedules where it was measured.",
    "accuracy": "Top-1 of every method of Tables 1 and 3 with its interval; Yₖ filled, Y′ₖ hollow.",
    "accuracy_k700": "Top-1 of every method of Table 2, K700 in the place of K400; Yₖ filled, Y′ₖ hollow.",
    "per_class": "What MultiTrain gains over the baseline in each class of Table 1's datasets, with intervals.",
    "per_class_k700": "What MultiTrain gains over the baseline in each class of Table 2's datasets, with intervals.",
    "training": "The terms of the loss, the learned σ of each dataset, the gradient and the rate over training steps.",
    "spectrum": "Eigenvalues of the features' covariance: does the embedding collapse without the informative loss?",
    "projections": "The learned projections between all pairs of datasets; related classes are outlined.",
    "projection_graph": "The class pairs of the largest weights: the paper's Table 4 as a picture.",
    "recovery": "How well the projections' weights find the related classes, against chance.",
    "cost": "Top-1 against the cost of one clip; the paper's published methods in grey.",
}
DPI = 130
MARKS = {"first": "<b>{}</b>", "second": "<u>{}</u>"}  # as the paper prints its first and second
PUBLISHED = "color: #4a5159; background-color: #f1f3f5"
RIGHT = [{"selector": "", "props": "text-align: right"}]
CLAIM_COLUMNS = (
    *("claim", "text", "part", "difference", "p_adjusted", "verdict", "holds_if_paper_right"),
    *("p_adjusted_projected", "verdict_projected"),
)
VERDICTS = {"holds": "color: #0a6640; font-weight: 600", "does not hold": "color: #a3260b; font-weight: 600"}
LOOK = [
    {"selector": "", "props": "border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums"},
    {"selector": "caption", "props": "caption-side: top; text-align: left; color: #586069; padding: 4px 0 8px"},
    {"selector": "th", "props": "text-align: left; vertical-align: bottom; padding: 5px 10px; font-weight: 600"},
    {"selector": "thead th", "props": "border-bottom: 2px solid #1c1f23"},
    {
        "selector": "td",
        "props": "text-align: left; vertical-align: top; padding: 5px 10px; border-bottom: 1px solid #d5d9de",
    },
    {"selector": "small", "props": "color: #586069; white-space: nowrap"},
]


def read(path: Path, needs: Sequence[str] = ()) -> pd.DataFrame:
    """A table of results; a CSV file's cells are text, "" where empty. A UserError without the columns `needs`."""
    cure = f"run `snakemake {path}` first"
    if not path.is_file():
        raise UserError(f"{path}: no such file: {cure}")
    try:
        is_parquet = path.suffix == ".parquet"
        table = pd.read_parquet(path) if is_parquet else pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())}): {cure}") from None
    if lacking := [name for name in needs if name not in table]:
        raise UserError(f"{path}: no column {lacking[0]!r}: {cure}")
    return table


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
    table = read(results / f"{name}.csv", ["source", "method", "dataset", "top1", "top1_projected", "synthetic"])
    ours = table[table["source"] == "ours"]
    if not len(ours):
        raise UserError(f"{results / name}.csv: no rows of ours: run `snakemake {results / name}.csv`")
    try:
        lines = _lines(ours if only_ours else table, names)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{results / name}.csv: not a table of this version ({error}): delete and make it again"
        ) from None
    frame = pd.DataFrame(lines).fillna("-")
    is_published = frame["Source"] != "ours"
    synthetic = "yes" in set(ours["synthetic"])
    frame["Source"] = frame["Source"].replace("ours", "ours, synthetic" if synthetic else "ours")
    said = (
        f"Top-1 / top-5 in percent. Ours: {escape(world(ours))}, with 95% intervals over videos; decided by Yₖ, the"
        " dataset's own head, or by Y′ₖ, Eq. 4's sum."
    )
    look = _look(frame.drop(columns="Source") if only_ours else frame, name, said)
    return look.apply(lambda row: [PUBLISHED if is_published[row.name] else ""] * len(row), axis=1)


def frame(table: pd.DataFrame, name: str, caption: str = "", digits: int = 1) -> Styler:
    """Any table: text escaped, numbers to the right with `digits` decimals; `name` is unique on its page."""
    numbers = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    right = [column for column in table if pd.api.types.is_numeric_dtype(table[column])]
    style = _look(table.reset_index(drop=True), name, escape(caption)).format(escape="html", na_rep="-")
    style = style.format(precision=digits, subset=numbers, na_rep="-") if numbers else style
    return style.set_table_styles(dict.fromkeys(right, RIGHT), overwrite=False) if right else style


def claims(results: Path, name: str, chosen: pd.Series | None = None) -> Styler:
    """Claims of the paper with their computed verdicts, each before its datasets; `chosen` rows of claims.csv."""
    needs = [
        "claim",
        "text",
        "part",
        "difference",
        "p_adjusted",
        "verdict",
        "holds_if_paper_right",
        "verdict_projected",
    ]
    table = read(results / "claims.csv", needs)
    table = table if chosen is None else table[chosen]
    again = table["claim"].eq(table["claim"].shift())
    shown = {"Claim": [_claim(row) for _, row in table.iterrows()], "Comparison": table["part"].map(escape)}
    shown["Paper"] = table["paper_difference"].map(_signed)
    for head, suffix in (("Yₖ", ""), ("Y′ₖ", "_projected")):
        shown[f"Ours, {head}"] = [_difference(row, suffix) for _, row in table.iterrows()]
        shown[f"Adjusted p, {head}"] = table[f"p_adjusted{suffix}"].map(lambda text: escape(p_text(text)))
        shown[f"Verdict, {head}"] = table[f"verdict{suffix}"].replace("", "-")
    chance = table["holds_if_paper_right"].map(lambda text: f"{float(text):.0%}" if text else "-")
    shown["P(holds) if the paper is right, Yₖ"] = chance
    frame = pd.DataFrame(shown).assign(Claim=lambda its: its["Claim"].mask(again, "")).reset_index(drop=True)
    caption = f"Differences of top-1 in points [95% paired t interval]; ours: {escape(world(table))}."
    look = _look(frame, name, caption).map(lambda text: VERDICTS.get(text, ""), subset=["Verdict, Yₖ", "Verdict, Y′ₖ"])
    return look.set_properties(subset=["Claim"], **{"min-width": "220px"})


def pairs(lines: Sequence[tuple[str, Sequence[tuple[str, bool]]]], name: str, caption: str) -> Styler:
    """Table 4's layout: a line's head, and its items, bold where they are marked."""
    cells = [
        "<br>".join(f"<b>{escape(text)}</b>" if marked else escape(text) for text, marked in items)
        for _, items in lines
    ]
    heads = [escape(head) for head, _ in lines]
    return _look(pd.DataFrame({"Source → target": heads, "Class pairs": cells}), name, escape(caption))


def draw(results: Path, name: str) -> None:
    """Draw one of FIGURES from the results and show it below a notebook's cell, in parts that fit on a page each."""
    with rc_context(style.RC):
        for figure in FIGURES[name].parts(results):
            picture(figure, CAPTIONS[name], narrow=bool(figure.get_figwidth() < style.WIDTH))


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


def _look(table: pd.DataFrame, name: str, caption: str) -> Styler:
    """Cells are HTML already; the identifiers in the page are from `name`, so that a page is the same every time."""
    return table.style.hide(axis="index").set_uuid(name).set_table_styles(LOOK).set_caption(caption)


def _lines(table: pd.DataFrame, names: dict[str, str]) -> list[dict[str, str]]:
    lines = []
    for (source, method), its in table.groupby(["source", "method"], sort=False):
        lines.append(_line(source, method, its, names, ""))
        if its["top1_projected"].ne("").any():
            lines.append(_line(source, method, its, names, "_projected"))
    return lines


def _line(source: str, method: str, rows: pd.DataFrame, names: dict[str, str], suffix: str) -> dict[str, str]:
    decided = "" if source != "ours" else "Y′ₖ" if suffix else "Yₖ"
    gflops = ", ".join(dict.fromkeys(value or "-" for value in rows["gflops"]))
    data = "; ".join(dict.fromkeys(rows["training_data"]))
    line = {"Source": source, "Method": escape(method), "By": decided, "Training data": escape(data), "gFLOPs": gflops}
    if suffix:
        line |= {"Training data": "", "gFLOPs": ""}
    for _, row in rows.iterrows():
        if row["dataset"] in names:
            line[names[row["dataset"]]] = _cell(row, suffix) if source == "ours" else _published(row)
    return line


def _published(row: pd.Series) -> str:
    text = f"{row['top1'] or '-'} / {row['top5'] or '-'}"
    return MARKS.get(row["rank_in_paper"], "{}").format(escape(text))


def _cell(row: pd.Series, suffix: str) -> str:
    values, intervals = [], []
    for top in ("top1", "top5"):
        value, low, high = (f"{float(row[f'{top}{key}']):.1f}" for key in (suffix, f"{suffix}_low", f"{suffix}_high"))
        spread = row.get(f"{top}_std", "") if not suffix else ""
        values.append(f"{value} ± {float(spread):.1f}" if spread else value)
        intervals.append(f"{low}–{high}")
    return f"{' / '.join(values)}<br><small>{' / '.join(intervals)}</small>"


def _claim(row: pd.Series) -> str:
    verdicts = [(head, row[f"claim_verdict{key}"]) for head, key in (("Yₖ", ""), ("Y′ₖ", "_projected"))]
    said = "; ".join(f"{head}: {verdict}" for head, verdict in verdicts if verdict)
    return f"{escape(row['text'])}<br><b>{said}</b>"


def _difference(row: pd.Series, suffix: str) -> str:
    """Our difference with its interval."""
    if not row[f"difference{suffix}"]:
        return "-"
    value, low, high = (_signed(row[f"{key}{suffix}"]) for key in ("difference", "low", "high"))
    return value if low == "-" else f"{value} <small>[{low}, {high}]</small>"


def _signed(text: str) -> str:
    return f"{float(text):+.1f}" if text else "-"
