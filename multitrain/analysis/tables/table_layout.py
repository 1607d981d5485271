"""Layout of the accuracy tables: lines of methods and scores, columns of datasets, and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multitrain.analysis.accuracy.metrics import LEVEL, SMOKE_TEST
from multitrain.analysis.render.cells import NONE, Estimated, unique
from multitrain.analysis.render.sheet import Cell, Grid, Section, Sheet, Styled
from multitrain.analysis.render.table_files import Row, Rows
from multitrain.analysis.study.run_names import ranges
from multitrain.config.experiments import Table
from multitrain.config.scale import Scale

__all__ = [
    "OWN_HEAD",
    "PUBLISHED",
    "Line",
    "datasets_grid",
    "lines",
    "our_rows_of",
    "setting",
    "sheet",
    "training_grid",
]

RELEASE = (  # what a row of it is
    "no row of the paper, but a later model of the authors, trained on K400, MiT and SSv2 alone and on less hardware;"
    " the numbers are their release's (README of github.com/JunweiLiang/MultiTrain, August 2023)"
)
OWN_HEAD = ", the release's way; the paper says only that no cost is added at test time"  # why Y_k decides
PUBLISHED = ("published", "release")  # sources of rows that are not ours: the paper, and the authors' release of later
MARKS = {"first": "bold", "second": "underline"}  # as the paper prints its first and second


@dataclass(frozen=True)
class Line:
    """A method's accuracies by dataset, decided by Y_k or, where `projected`, by Y'_k."""

    source: str
    method: str
    projected: bool
    training_data: Mapping[str, list[str]]  # of several runs: to each the datasets it is for
    gflops: str
    values: Mapping[str, str | Styled | tuple[Estimated, Estimated]]  # as printed, or our top-1 and top-5


def lines(rows: Rows) -> list[Line]:
    """Lines of a table's rows; ours with projections are followed by the same model scored by Y'_k."""
    grouped: dict[tuple[str, str], Rows] = {}
    for row in rows:
        grouped.setdefault((row["source"], row["method"]), []).append(row)
    found = [_line(its, suffix) for its in grouped.values() for suffix in ("", "_projected")]
    return [line for line in found if line.values or not line.projected]


def _line(rows: Rows, suffix: str) -> Line:
    first = rows[0]
    training_data: dict[str, list[str]] = {}
    for row in rows:
        training_data.setdefault(row.get("training_data", ""), []).append(row["dataset"])
    is_ours = first["source"] == "ours"
    cells = {row["dataset"]: _estimated(row, suffix) if is_ours else _printed(row) for row in rows}
    values = {name: value for name, value in cells.items() if value}
    gflops = unique((row.get("gflops", NONE) for row in rows), ", ")
    return Line(
        first["source"], first["method"], bool(suffix), training_data, gflops, values if is_ours or not suffix else {}
    )


def _printed(row: Row) -> str | Styled:
    text = f"{row.get('top1', NONE)} / {row.get('top5', NONE)}"
    mark = MARKS.get(row.get("rank_in_paper", ""))
    return Styled(text, mark) if mark else text


def _estimated(row: Row, suffix: str) -> tuple[Estimated, Estimated] | None:
    """Top-1 and top-5 of ours; None where there are none by this score."""
    if f"top1{suffix}" not in row:
        return None
    top1, top5 = (
        Estimated(row[top], row[f"{top}_low"], row[f"{top}_high"], row.get(f"{top}_std"))
        for top in (f"top1{suffix}", f"top5{suffix}")
    )
    return top1, top5


def sheet(table: Table, scale: Scale, rows: Rows) -> Sheet:
    """The published rows, ours, and the notes."""
    titles = {name: scale.dataset(name).title for name in table.datasets}
    found = {ours: [_cells(line, titles) for line in lines(rows) if (line.source == "ours") == ours] for ours in (0, 1)}
    published = Section(
        "Published",
        found[0],
        "Top-1 / top-5 in percent, as they were printed.",
        "Published: top-1 / top-5 in percent",
    )
    sections = (*([published] if found[0] else []), Section(f"Ours: {world(scale, rows)}", found[1]))
    head = ["Method", "Training data", "gFLOPs", *titles.values()]
    return Sheet(table.title, head, sections, notes(table, scale, rows), f"ll{'r' * (len(head) - 2)}")


def _cells(line: Line, titles: Mapping[str, str]) -> list[Cell]:
    """Name, training data, gFLOPs and a cell a dataset, `-` where there is no number."""
    first, *others = line.training_data
    named = (f"{', '.join(titles[name] for name in line.training_data[text])}: {text}" for text in others)
    values = (line.values.get(name, NONE) for name in titles)
    cells = (" / ".join(map(str, value)) if isinstance(value, tuple) else value for value in values)
    return [f"{line.method}{', Y′ₖ' * line.projected}", "; ".join([first, *named]), line.gflops, *cells]


def our_rows_of(rows: Rows) -> Rows:
    """The rows of ours."""
    return [row for row in rows if row["source"] == "ours"]


def datasets_grid(table: Table, scale: Scale, rows: Rows) -> Grid:
    """The grid of datasets: classes, accuracy of a guess, and training and test clips of our rows."""
    found = []
    for name in table.datasets:
        its = [row for row in our_rows_of(rows) if row["dataset"] == name]
        if its:
            classes, trained = (unique(unique(row[key]) for row in its) for key in ("classes", "train_clips"))
            guess = " / ".join(f"{100 / count:.1f}" for count in its[0]["classes"])  # by world
            found.append([scale.dataset(name).title, classes, guess, trained, unique(row["clips"] for row in its)])
    return Grid(["Dataset", "Classes", "Top-1 of a guess", "Training clips", "Test clips"], found)


def training_grid(scale: Scale, rows: Rows) -> Grid:
    """The grid of trainings: methods trained alike share a row with their length and learning rate."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in our_rows_of(rows):
        changed = row["settings"].partition(" ")[2]
        how = (row["method"], *(unique(row[key]) for key in ("epochs", "steps", "batch", "rate")), changed)
        alike.setdefault(how, []).append(scale.dataset(row["dataset"]).title)
    several = [method for method, *_ in alike]
    found = [
        [f"{method}, {', '.join(titles)}" if several.count(method) > 1 else method, *how]
        for (method, *how), titles in alike.items()
    ]
    head = ["Method", "Epochs", "Steps", "Batch", "Peak rate", "Changed of the recipe"]
    kept = len(head) if any(line[-1] for line in found) else len(head) - 1
    return Grid(head[:kept], [line[:kept] for line in found])


def world(scale: Scale, rows: Rows) -> str:
    """The source of our numbers, as a title."""
    ours = our_rows_of(rows)
    synthetic = any(row["synthetic"] == "yes" for row in ours)
    text = setting(scale, synthetic, _seeds(ours))
    return f"{text}; not comparable with the published rows" if synthetic else text


def _seeds(rows: Rows) -> list[int]:
    """The seeds of any of the rows, sorted."""
    return sorted({seed for row in rows for seed in row["seeds"]})


def _fewer(ours: Rows) -> list[str]:
    """Texts on methods with fewer seeds than others: `MultiTrain seeds 0-2 of 0-4`."""
    all_ = _seeds(ours)
    by_method: dict[str, list[list[int]]] = {}
    for row in ours:
        by_method.setdefault(row["method"], []).append(sorted(row["seeds"]))
    found = {method: min(its, key=len) for method, its in by_method.items()}
    return [f"{method} seeds {ranges(its)} of {ranges(all_)}" for method, its in found.items() if its != all_]


def setting(scale: Scale, synthetic: bool, seeds: Sequence[int]) -> str:
    """Scale, whether it is the synthetic world, and seeds, as text."""
    worlds = scale.worlds(seeds)
    which = f"s {' and '.join(map(str, worlds))} of" if len(worlds) > 1 else ""
    named = f"synthetic world{which} `{scale.name}`" if synthetic else scale.name
    smoke = f"; {SMOKE_TEST}" if scale.smoke_test else ""
    return f"{named}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}{smoke}"


def _of_what(ours: Rows) -> str:
    if len(_seeds(ours)) > 1:
        return "other videos and other trainings (docs/reference/experiment.md)"
    return "other videos; with one seed it does not contain how much trainings differ"


def notes(table: Table, scale: Scale, rows: Rows) -> list[str]:
    """Notes below the table, a sentence or two each."""
    ours = our_rows_of(rows)
    settings = [scale.datasets[name] for name in table.datasets]
    letters = {each.paper_letter: each.title for each in settings if each.paper_letter}
    by_letter = ", ".join(f"({key}) {letters[key]}" for key in sorted(letters))
    codes = sorted({code for row in ours for code in row["code"].split()})
    released = dict.fromkeys(row["method"] for row in rows if row["source"] == "release")
    said = [
        f"Top-1 [interval] / top-5 [interval] in percent: the {LEVEL:.0%} t interval of {_of_what(ours)}."
        " ± is the standard deviation over seeds, where there are several.",
        f"A row decides by Yₖ, the dataset's own head alone{OWN_HEAD if table.published else ''}."
        " A row marked Y′ₖ is the same model with the other heads' projections added (Eq. 4).",
        f"Training data: {by_letter}{'; ' * bool(letters)}own: a model a dataset;"
        " from: initial weights from a run on that dataset.",
        f"gFLOPs: one clip through our model at scale {scale.name}.",
    ]
    if fewer := _fewer(ours):
        said.append(f"Not every row has all seeds: {'; '.join(fewer)}.")
    said += [f"{method}: {RELEASE}." for method in released]
    processors = unique(row["processor"] for row in ours)
    said.append(f"Processor: {processors}. On another kind rounding differs, and so do the numbers.")
    said += filter(None, (scale.remark, table.remark))
    if len(codes) > 1:
        said.append(f"These rows come from different versions of the numerical code: {', '.join(codes)}.")
    return said
