"""Table 4: the class pairs that projections relate most, the paper's as they stand, then ours."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from multitrain.analysis.projections.class_relations import WORLD
from multitrain.analysis.projections.projection_weights import Projection, read_projections
from multitrain.analysis.render import latex, markdown
from multitrain.analysis.render.columns import TABLE4
from multitrain.analysis.render.sheet import Cell, Piece, Section, Sheet, Styled
from multitrain.analysis.render.table_files import Rows, as_printed, read_published, write_rows, write_text
from multitrain.analysis.study.run_names import method_names, ranges, yes_no
from multitrain.analysis.tables.table_layout import setting
from multitrain.common.errors import UserError
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["published_rows", "write_table4"]

TOP = 5
PUBLISHED = ("source", "target", "rank", "source_class", "target_class")


def write_table4(
    scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/table4.csv, .md and .tex from projections.parquet and the paper's table in `published`.

    Ours are the five largest weights, signed as they are, of every ordered pair of datasets of the runs that
    `experiments.projections` names, fewer where there are fewer class pairs. They are the first seed's: a mean of
    weights over seeds would be no run's. Of equal weights the first in the heads' order of classes is listed first.
    """
    if (table := experiments.projections) is None:
        raise UserError("the experiments have no `projections`, whose runs table4 shows: name them")
    every = read_projections(results, scale, table.runs, seeds)
    first = {each.run: each.seed for each in reversed(every)}
    found = [each for each in every if each.seed == first[each.run]]
    paper = published_rows(published / table.published) if table.published else []
    ours = as_printed((row for each in found for row in _largest(each, scale)), TABLE4)
    names = method_names(experiments, scale)
    sections = [Section("Published, as the paper prints them", _lines(paper, scale))] if paper else []
    for run, its in groupby(found, key=lambda each: each.run):
        rows = [row for row in ours if row["run"] == run]
        sections.append(Section(_title(scale, names.get(run, run), its), _lines(rows, scale)))
    head = ["Cross-dataset pair", f"Top-{TOP} action pairs"]
    sheet = Sheet(table.title, head, sections, _notes(found, names, seeds), r"lp{0.75\linewidth}")
    write_text(results / "table4.md", markdown.page(sheet))
    write_text(results / "table4.tex", latex.table(sheet))
    write_rows(results / "table4.csv", paper + ours, TABLE4)


def published_rows(path: Path) -> Rows:
    """The paper's pairs, in their order."""
    return [{"origin": "published", **row} for row in read_published(path, TABLE4, PUBLISHED)]


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
                "rank": rank,
                "source_class": found.source_classes[source],
                "target_class": found.target_classes[target],
                "weight": found.weight[target, source],
                "scaled": found.scaled[target, source],
                "related": yes_no(found.related[target, source]),
                "relation_from": found.relation_from,
            }
        )
    return rows


def _title(scale: Scale, name: str, found: Iterable[Projection]) -> str:
    first = next(iter(found))
    world = setting(scale, first.synthetic, [first.seed])
    return f"Ours, {name}: {world}" + ("; not comparable with the published pairs" if first.synthetic else "")


def _notes(found: list[Projection], names: dict[str, str], seeds: tuple[int, ...]) -> list[str]:
    """Notes below the table, a sentence or two each."""
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


def _lines(rows: Rows, scale: Scale) -> list[list[Cell]]:
    """Table lines of dataset pairs with their class pairs, bold where related."""
    lines: list[list[Cell]] = []
    for pair, its in groupby(rows, key=lambda row: (row["source"], row["target"])):
        pieces: list[Piece] = []
        for row in its:
            number = f" ({row['weight']:.2f})" if "weight" in row else ""
            text = f"{row['source_class']} → {row['target_class']}{number}"
            pieces.append(Styled(text, "bold") if row.get("related") == "yes" else text)
        lines.append([" → ".join(scale.dataset(name).title for name in pair), tuple(pieces)])
    return lines
