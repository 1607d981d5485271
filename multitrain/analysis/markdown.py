"""A table of results as the paper sets it: a row a method, a column a dataset."""

from collections.abc import Callable

from multitrain.analysis.metrics import LEVEL, RESAMPLES
from multitrain.config import Scale, Table

Rows = list[dict[str, str]]
Cell = Callable[[dict[str, str]], str]  # a row of the CSV as the text of a cell


def render(table: Table, scale: Scale, rows: Rows) -> str:
    """The rows of a table's CSV as Markdown: the published ones, then ours, then what the numbers mean."""
    titles = [scale.dataset(name).title for name in table.datasets]
    published = [row for row in rows if row["source"] == "published"]
    ours = [row for row in rows if row["source"] == "ours"]
    lines = [f"# {table.title}", "", "## Published", "", "Top-1 / top-5 in percent, as the paper prints them.", ""]
    lines += _grid(titles, _methods(published, scale, table, _published_cell))
    world = f"synthetic world `{scale.name}`" if any(row["synthetic"] == "yes" for row in ours) else scale.name
    seeds = ours[0]["seeds"].split() if ours else []
    lines += ["", f"## Ours: {world}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}", ""]
    if scale.world is not None:
        lines += ["A synthetic world is not the paper's datasets: not comparable with the rows above.", ""]
    body = []
    for own, projected in zip(
        _methods(ours, scale, table, _own_cell("")),
        _methods(ours, scale, table, _own_cell("_projected")),
        strict=True,
    ):
        body.append(own)
        if any(cell != "-" for cell in projected[3:]):
            body.append([f"{projected[0]}, Y′ₖ", *projected[1:]])
    return "\n".join([*lines, *_grid(titles, body), "", *_notes(table, scale, ours)]) + "\n"


def _methods(rows: Rows, scale: Scale, table: Table, cell: Cell) -> list[list[str]]:
    """One line a method: its name, training data, gFLOPs, and a cell a dataset, `-` where there is no number."""
    grouped: dict[str, Rows] = {}
    for row in rows:
        grouped.setdefault(row["method"], []).append(row)
    lines = []
    for method, its in grouped.items():
        cells = {row["dataset"]: cell(row) for row in its}
        gflops = ", ".join(dict.fromkeys(row.get("gflops", "") for row in its))
        lines.append([method, _training_data(its, scale), gflops, *(cells.get(name, "-") for name in table.datasets)])
    return lines


def _training_data(rows: Rows, scale: Scale) -> str:
    """One text for a method: with several, all but the first say which datasets they are for."""
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row.get("training_data", ""), []).append(scale.dataset(row["dataset"]).title)
    first, *others = texts
    return "; ".join([first, *(f"{', '.join(texts[text])}: {text}" for text in others)])


def _published_cell(row: dict[str, str]) -> str:
    text = f"{row['top1'] or '-'} / {row.get('top5') or '-'}"
    return {"first": f"**{text}**", "second": f"<u>{text}</u>"}.get(row.get("rank_in_paper", ""), text)


def _own_cell(suffix: str) -> Cell:
    def cell(row: dict[str, str]) -> str:
        if f"top1{suffix}" not in row:
            return "-"
        parts = []
        for top in (f"top1{suffix}", f"top5{suffix}"):
            value, low, high = (f"{float(row[key]):.1f}" for key in (top, f"{top}_low", f"{top}_high"))
            spread = f" ± {float(row[f'{top}_std']):.1f}" if f"{top}_std" in row else ""
            parts.append(f"{value}{spread} [{low}, {high}]")
        return " / ".join(parts)

    return cell


def _grid(titles: list[str], body: list[list[str]]) -> list[str]:
    """A Markdown table whose columns are aligned in the text as well."""
    rows = [["Method", "Training data", "gFLOPs", *titles], *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]]


def _notes(table: Table, scale: Scale, ours: Rows) -> list[str]:
    letters = {scale.datasets[name].letter: scale.datasets[name].title for name in table.datasets}
    clips = {row["dataset"]: row["clips"] for row in ours}
    codes = sorted({code for row in ours for code in row["code"].split()})
    notes = [
        f"Top-1 [interval] / top-5 [interval] in percent: the {LEVEL:.0%} percentile bootstrap interval over clips,"
        f" {RESAMPLES} resamples. ± is the standard deviation over seeds, where there are several.",
        "A row decides by Yₖ, the dataset's own head, alone, as the paper does at test time. A row marked Y′ₖ is the"
        " same model with the other heads' projections added (Eq. 4).",
        f"Training data: {', '.join(f'({key}) {letters[key]}' for key in sorted(letters))}; own: a model a dataset;"
        " from (e): initial weights from a run on (e).",
        f"gFLOPs: one clip through our model at scale {scale.name}.",
        f"Test clips: {', '.join(f'{scale.datasets[name].title} {count}' for name, count in clips.items())}.",
    ]
    if len(codes) > 1:
        notes.append(f"**These rows come from different versions of the numerical code: {', '.join(codes)}.**")
    return [f"- {note}" for note in notes]
