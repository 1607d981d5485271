"""Table 4: the class pairs that projections relate most, the paper's as they stand, then ours."""

import csv
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from multitrain.analysis.latex import escape, literal
from multitrain.analysis.layout import setting
from multitrain.analysis.markdown import grid
from multitrain.analysis.projections import Projection, read_projections
from multitrain.analysis.relations import WORLD
from multitrain.analysis.runs import method_names, ranges, yes_no
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import atomic
from multitrain.markup import Marked, markdown

TOP = 5
PUBLISHED = ("source", "target", "rank", "source_class", "target_class")
COLUMNS = (
    "origin",  # published or ours
    *("run", "scale", "synthetic", "seed"),
    *PUBLISHED,
    *("weight", "scaled", "related", "relation_from"),
)
HEAD = ["Cross-dataset pair", f"Top-{TOP} action pairs"]

Rows = list[dict[str, str]]
Sections = list[tuple[str, Rows]]  # heading and rows


def write_table4(
    scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/table4.csv, .md and .tex from projections.parquet and the paper's table in `published`.

    Ours are the five largest weights, signed as they are, of every ordered pair of datasets of the runs that
    `experiments.projections` names, fewer where there are fewer class pairs. They are the first seed's: a mean of
    weights over seeds would be no run's. Of equal weights the first in the heads' order of classes is listed first.
    """
    table = experiments.projections
    every = read_projections(results, scale, table.runs, seeds)
    first = {each.run: each.seed for each in reversed(every)}
    found = [each for each in every if each.seed == first[each.run]]
    paper = published_rows(published / table.published)
    rows = paper + [row for each in found for row in _largest(each, scale)]
    names = method_names(experiments, scale)
    sections = [("Published, as the paper prints them", paper)]
    sections += [
        (_title(scale, names.get(run, run), its), [row for row in rows if row.get("run") == run])
        for run, its in groupby(found, key=lambda each: each.run)
    ]
    notes = _notes(found, names, seeds)
    for suffix, render in (("md", _markdown), ("tex", _latex)):
        with atomic(results / f"table4.{suffix}") as temporary:
            temporary.write_text(render(table.title, scale, sections, notes), encoding="utf-8")
    with atomic(results / "table4.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def published_rows(path: Path) -> Rows:
    """The paper's pairs; every value stays the text it is, in its order."""
    if not path.is_file():
        raise UserError(f"{path}: no such published table")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != PUBLISHED:
            raise UserError(f"{path}: columns {reader.fieldnames}, not {', '.join(PUBLISHED)}")
        return [{"origin": "published", **row} for row in reader]


def _largest(found: Projection, scale: Scale) -> Rows:
    """The class pairs of the largest weights of one projection."""
    places = np.unravel_index(_order(found.weight), found.weight.shape)
    rows = []
    for rank, (target, source) in enumerate(zip(*places, strict=True), start=1):
        rows.append(
            {
                "origin": "ours",
                "run": found.run,
                "scale": scale.name,
                "synthetic": yes_no(found.synthetic),
                "seed": str(found.seed),
                "source": found.source,
                "target": found.target,
                "rank": str(rank),
                "source_class": found.source_classes[source],
                "target_class": found.target_classes[target],
                "weight": f"{found.weight[target, source]:.4f}",
                "scaled": f"{found.scaled[target, source]:.4f}",
                "related": yes_no(found.related[target, source]),
                "relation_from": found.relation_from,
            }
        )
    return rows


def _title(scale: Scale, name: str, found: Iterable[Projection]) -> str:
    first = next(iter(found))
    world = setting(scale, first.synthetic, [str(first.seed)])
    return f"Ours, {name}: {world}" + ("; not comparable with the published pairs" if first.synthetic else "")


def _notes(found: list[Projection], names: dict[str, str], seeds: tuple[int, ...]) -> list[str]:
    """What a reader must know, a sentence or two each."""
    world = found[0].relation_from == WORLD
    said = [
        "A pair reads source class → target class (weight): W[target class, source class] of Eq. 4, the largest first."
        " Scores of Yₖ alone do not use these weights; scores of Y′ₖ do.",
        "Bold: the classes are related, " + ("as the synthetic world knows." if world else "as their names are equal."),
    ]
    for run, its in groupby(found, key=lambda each: each.run):
        projections = list(its)
        listed = [min(TOP, each.weight.size) for each in projections]
        hits = sum(int(each.related.ravel()[_order(each.weight)].sum()) for each in projections)
        chance = sum(count * each.related.mean() for count, each in zip(listed, projections, strict=True))
        said.append(
            f"{names.get(run, run)}: {hits} of the {sum(listed)} pairs listed are related; drawn at random from the"
            f" same matrices, {chance:.1f} would be."
        )
    if len(seeds) > 1:
        shown = {each.seed for each in found}
        others = ", ".join(str(seed) for seed in seeds if seed not in shown)
        said.append(
            f"Weights of seed {ranges(shown)}, not averaged with those of {others}: a mean would be no model's."
        )
    return said


def _order(weight: np.ndarray) -> np.ndarray:
    """Places of the largest weights in the flattened matrix; of equal ones the first in the heads' order."""
    return np.argsort(-weight, axis=None, kind="stable")[:TOP]


def _lines(rows: Rows, scale: Scale, plain: Callable[[str], str], bold: Callable[[str], str]) -> list[list[str]]:
    """A line a pair of datasets: its name, and its class pairs, set by `bold` where related and else by `plain`."""
    lines = []
    for (source, target), its in groupby(rows, key=lambda row: (row["source"], row["target"])):
        cells = []
        for row in its:
            number = f" ({float(row['weight']):.2f})" if "weight" in row else ""
            mark = bold if row.get("related") == "yes" else plain
            cells.append(mark(f"{row['source_class']} → {row['target_class']}{number}"))
        lines.append([plain(f"{scale.dataset(source).title} → {scale.dataset(target).title}"), "; ".join(cells)])
    return lines


def _markdown(title: str, scale: Scale, sections: Sections, notes: list[str]) -> str:
    text = [f"# {title}"]
    for heading, rows in sections:
        lines = _lines(rows, scale, markdown, lambda cell: f"**{markdown(cell)}**")
        text += ["", f"## {heading}", "", *grid(HEAD, [list(map(Marked, line)) for line in lines])]
    return "\n".join([*text, "", *(f"- {note}" for note in notes)]) + "\n"


def _latex(title: str, scale: Scale, sections: Sections, notes: list[str]) -> str:
    text = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(' '.join([f'{title}.', *notes]))}}}",
        r"\begin{tabular}{lp{0.75\linewidth}}",
        r"\toprule",
        rf"{' & '.join(map(escape, HEAD))} \\",
    ]
    for heading, rows in sections:
        text += [r"\midrule", rf"\multicolumn{{2}}{{l}}{{{escape(heading)}}} \\"]
        lines = _lines(rows, scale, literal, lambda cell: rf"\textbf{{{literal(cell)}}}")
        text += [rf"{' & '.join(line)} \\" for line in lines]
    return "\n".join([*text, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])
