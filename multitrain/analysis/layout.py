"""A table of results as the paper sets it, before it is Markdown or LaTeX: a row a method, a column a dataset."""

from collections.abc import Callable, Mapping, Sequence

from multitrain.analysis.metrics import LEVEL, SMOKE_TEST
from multitrain.analysis.runs import ranges
from multitrain.config import Scale
from multitrain.experiments import Table

Rows = list[dict[str, str]]
RELEASE = (  # what a row of it is
    "no row of the paper, but a later model of the authors, trained on K400, MiT and SSv2 alone and on less hardware;"
    " the numbers are their release's (README of github.com/JunweiLiang/MultiTrain, August 2023)"
)
Cell = Callable[[dict[str, str]], str]  # a row of the CSV as the text of a cell
PUBLISHED = ("published", "release")  # sources of rows that are not ours: the paper, and the authors' release of later
Lines = list[list[str]]  # of our rows or the paper's: name, training data, gFLOPs, and a cell a dataset
DATASETS = ["Dataset", "Classes", "Top-1 of a guess", "Training clips", "Test clips"]
TRAINING = ["Method", "Epochs", "Steps", "Batch", "Peak rate"]


def our_rows_of(rows: Rows) -> Rows:
    """Without the published ones."""
    return [row for row in rows if row["source"] == "ours"]


def headings(table: Table, scale: Scale) -> list[str]:
    """The columns' names."""
    return ["Method", "Training data", "gFLOPs", *(scale.dataset(name).title for name in table.datasets)]


def published_lines(table: Table, scale: Scale, rows: Rows, marks: Mapping[str, str]) -> Lines:
    """The paper's rows and the release's; `marks` says how its first and second are set, e.g. {"first": "**{}**"}."""

    def cell(row: dict[str, str]) -> str:
        return marks.get(row.get("rank_in_paper", ""), "{}").format(f"{row['top1'] or '-'} / {row.get('top5') or '-'}")

    return _methods([row for row in rows if row["source"] in PUBLISHED], scale, table, cell)


def our_lines(table: Table, scale: Scale, rows: Rows) -> Lines:
    """Our rows; one with projections is followed by the same model scored by Y'_k."""
    ours = our_rows_of(rows)
    lines = []
    for own, projected in zip(
        _methods(ours, scale, table, _own_cell("")),
        _methods(ours, scale, table, _own_cell("_projected")),
        strict=True,
    ):
        lines.append(own)
        if any(cell != "-" for cell in projected[3:]):
            lines.append([f"{projected[0]}, Y′ₖ", *projected[1:]])
    return lines


def dataset_lines(table: Table, scale: Scale, rows: Rows) -> Lines:
    """A line a dataset: its classes, the accuracy of a guess, and how many clips trained and tested our rows."""
    lines = []
    for name in table.datasets:
        its = [row for row in our_rows_of(rows) if row["dataset"] == name]
        if its:
            classes, trained, tested = (_each(its, key) for key in ("classes", "train_clips", "clips"))
            guess = " / ".join(f"{100 / int(count):.1f}" for count in its[0]["classes"].split(" / "))  # by world
            lines.append([scale.dataset(name).title, classes, guess, trained, tested])
    return lines


def training_lines(scale: Scale, rows: Rows) -> Lines:
    """A line for all that was trained alike: the methods' rows, and how long and at which rate."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in our_rows_of(rows):
        how = (row["method"], *(row[key] for key in ("epochs", "steps", "batch", "rate")))
        alike.setdefault(how, []).append(scale.dataset(row["dataset"]).title)
    several = [method for method, *_ in alike]
    return [
        [f"{method}, {', '.join(titles)}" if several.count(method) > 1 else method, *how]
        for (method, *how), titles in alike.items()
    ]


def _each(rows: Rows, key: str) -> str:
    return " / ".join(dict.fromkeys(row[key] for row in rows))


def world(scale: Scale, rows: Rows) -> str:
    """Where our numbers come from, as a title."""
    ours = our_rows_of(rows)
    synthetic = any(row["synthetic"] == "yes" for row in ours)
    text = setting(scale, synthetic, [str(seed) for seed in _seeds(ours)])
    return f"{text}; not comparable with the published rows" if synthetic else text


def _seeds(rows: Rows) -> list[int]:
    """The seeds of any of the rows, sorted."""
    return sorted({int(seed) for row in rows for seed in row["seeds"].split()})


def _fewer(ours: Rows) -> list[str]:
    """A text for each method that lacks seeds that another one has: `MultiTrain seeds 0-2 of 0-4`."""
    all_, by_method = _seeds(ours), {}
    for row in ours:
        by_method.setdefault(row["method"], []).append(row)
    found = {method: min((_seeds([row]) for row in its), key=len) for method, its in by_method.items()}
    return [f"{method} seeds {ranges(its)} of {ranges(all_)}" for method, its in found.items() if its != all_]


def setting(scale: Scale, synthetic: bool, seeds: Sequence[str]) -> str:
    """Scale, whether it is the synthetic world, and seeds, as text."""
    worlds = scale.worlds(map(int, seeds))
    which = f"s {' and '.join(map(str, worlds))} of" if len(worlds) > 1 else ""
    named = f"synthetic world{which} `{scale.name}`" if synthetic else scale.name
    smoke = f"; {SMOKE_TEST}" if scale.smoke_test else ""
    return f"{named}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}{smoke}"


def _methods(rows: Rows, scale: Scale, table: Table, cell: Cell) -> list[list[str]]:
    """One line a method: its name, training data, gFLOPs, and a cell a dataset, `-` where there is no number."""
    grouped: dict[str, Rows] = {}
    for row in rows:
        grouped.setdefault(row["method"], []).append(row)
    lines = []
    for method, its in grouped.items():
        cells = {row["dataset"]: cell(row) for row in its}
        gflops = ", ".join(dict.fromkeys(row.get("gflops") or "-" for row in its))
        lines.append([method, _training_data(its, scale), gflops, *(cells.get(name, "-") for name in table.datasets)])
    return lines


def _training_data(rows: Rows, scale: Scale) -> str:
    """One text for a method: with several, all but the first say which datasets they are for."""
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row.get("training_data", ""), []).append(scale.dataset(row["dataset"]).title)
    first, *others = texts
    return "; ".join([first, *(f"{', '.join(texts[text])}: {text}" for text in others)])


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


def _of_what(ours: Rows) -> str:
    if len(_seeds(ours)) > 1:
        return "other videos and other trainings (docs/reference/experiment.md)"
    return "other videos; with one seed it does not contain how much trainings differ"


def notes(table: Table, scale: Scale, rows: Rows) -> list[str]:
    """What a reader must know, a sentence or two each."""
    ours = our_rows_of(rows)
    letters = {scale.datasets[name].letter: scale.datasets[name].title for name in table.datasets}
    codes = sorted({code for row in ours for code in row["code"].split()})
    released = dict.fromkeys(row["method"] for row in rows if row["source"] == "release")
    said = [
        f"Top-1 [interval] / top-5 [interval] in percent: the {LEVEL:.0%} t interval of {_of_what(ours)}."
        " ± is the standard deviation over seeds, where there are several.",
        "A row decides by Yₖ, the dataset's own head, alone: the release's way, as the paper says only that no cost is"
        " added at test time. A row marked Y′ₖ is the same model with the other heads' projections added (Eq. 4).",
        f"Training data: {', '.join(f'({key}) {letters[key]}' for key in sorted(letters))}; own: a model a dataset;"
        " from: initial weights from a run on that dataset.",
        f"gFLOPs: one clip through our model at scale {scale.name}.",
    ]
    if fewer := _fewer(ours):
        said.append(f"Not every row has all seeds: {'; '.join(fewer)}.")
    said += [f"{method}: {RELEASE}." for method in released]
    said.append(f"Processor: {_each(ours, 'processor')}. On another kind rounding differs, and so do the numbers.")
    said += filter(None, (scale.remark, table.remark))
    if len(codes) > 1:
        said.append(f"These rows come from different versions of the numerical code: {', '.join(codes)}.")
    return said
