"""docs/guides/desk.md: the numbers of the packed seeds of scale desk and of its CNN, and the verdicts of docs/example.

python -m dev.pages.desk    # after docs/example was written of the same seeds; the figure beside the page too
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dev.command import start
from dev.pages.marked import replaced
from dev.pages.why import section as of_reasons
from multitrain.analysis.claims.verdict_rule import NOT_RUN
from multitrain.analysis.figures import save_figure
from multitrain.analysis.figures.comparisons.backbones import draw
from multitrain.analysis.packed.backbone_contrasts import DIFFERENCE, FILE, MEAN, write_backbones
from multitrain.analysis.packed.packed_checks import merge, settings
from multitrain.analysis.packed.packed_study import Key, Study, read_study
from multitrain.analysis.render.cells import count, difference, signed
from multitrain.analysis.render.columns import BACKBONES, CLAIMS
from multitrain.analysis.render.table_files import Row, Rows, read_rows
from multitrain.analysis.study.run_names import ranges
from multitrain.common.errors import UserError
from multitrain.common.markup import grid
from multitrain.common.ranks import top
from multitrain.config.config_files import load_scale

ROOT = Path(__file__).parents[2]
NOTES = ROOT / "docs" / "notes"
EXAMPLE = ROOT / "docs" / "example"
PAGE = ROOT / "docs" / "guides" / "desk.md"
FIGURE = PAGE.with_name("backbones-desk.png")
SEEDS, CNN, WHY = "desk-seed*.parquet", "desk-cnn.parquet", "desk-why.parquet"  # of NOTES
WRITER = "dev/pages/desk.py"
NAMES = {DIFFERENCE: "3-D CNN minus MViTv2"}
PLANNED = 10  # seeds


def joined(notes: Path = NOTES) -> Study:
    """The packed seeds of desk as one study.

    Raises:
        UserError: a file holds another seed than its name says, or is of other settings than desk has now.
    """
    scale, studies = load_scale("desk", ROOT / "config"), []
    for path in sorted(notes.glob(SEEDS), key=lambda path: int(path.stem.removeprefix("desk-seed"))):
        study = read_study(path)
        if study.seeds() != (int(path.stem.removeprefix("desk-seed")),):
            raise UserError(f"{path}: holds seeds {ranges(study.seeds())}: rename it, or pack the seed of its name")
        if settings(study)[0].fingerprint != scale.fingerprint:
            raise UserError(f"{path}: of other settings than config/scales/desk.yaml has now: run the seed anew")
        studies.append(study)
    first, *others = studies
    for each in others:
        merge(first, each)
    return first


def table_of(study: Study, name: str) -> dict[str, np.ndarray]:
    """Top-1 in percent of a table's methods by Y_k, (seeds, datasets); those whose runs are all there."""
    table, found = settings(study)[1].tables[name], {}
    for row in table.rows:
        runs = row.runs if len(row.runs) == len(table.datasets) else row.runs * len(table.datasets)
        cells = list(zip(runs, table.datasets, strict=True))
        keys = [[Key(run, seed, dataset) for run, dataset in cells] for seed in study.seeds()]
        if all(key in study.answers for its in keys for key in its):
            scores = [[top(1, study.answers[key]["rank"].to_numpy()).mean() for key in its] for its in keys]
            found[row.method] = 100 * np.array(scores)
    return found


def of_seeds(desk: Study) -> str:
    """Which seeds there are, their accuracies, and how to join them."""
    seeds, world = desk.seeds(), settings(desk)[0].by_world(desk.seeds())
    worlds = "; ".join(f"seed{'s' * (len(its) > 1)} {ranges(its)} in world {which}" for which, its in world.items())
    rows = [
        ("method", *_titles(desk, "table3"), "mean", "lowest and highest seed"),
        *(
            (method, *_means(scores), " to ".join(f"{end(scores.mean(axis=1)):.1f}" for end in (np.min, np.max)))
            for method, scores in table_of(desk, "table3").items()
        ),
    ]
    folder = NOTES.relative_to(ROOT).as_posix()
    files = " ".join(f"--with {folder}/desk-seed{seed}.parquet" for seed in seeds)
    return f"""**{len(seeds)} seeds of {PLANNED} are there**, {worlds}, 22 trainings each
(`desk-seed*.parquet` in [notes](../notes)). Verdicts come from {PLANNED} seeds; what was chosen was chosen before.
Top-1 on test, the mean of the seeds, and of the four datasets' mean the lowest and the highest seed:

{grid(rows[0], rows[1:])}

`multitrain results render {folder}/desk-seed0.parquet rendered` makes the tables, claims and report of a seed. To join
them first:

```
multitrain results pack desk.parquet --scale desk {files}
```
"""


def of_verdicts(example: Path) -> str:
    """The claims of the paper and our own, each with its difference and verdict by the seeds of an example."""
    rows = [row for row in read_rows(example / "claims.csv", tuple(CLAIMS)) if row["scope"] == "claim"]
    tested = [row for row in rows if row["claim_verdict"] != NOT_RUN]
    counted = Counter(row["claim_verdict"] for row in tested)
    said = ", ".join(f"{verdict} {number}" for verdict, number in counted.most_common())
    lines = [
        (
            "↳ " * bool(row["same_fact_as"]) + row["text"],
            signed(row.get("paper_difference")),
            _points(row),
            row["claim_verdict"],
            count(row.get("seeds_to_decide")),
        )
        for row in tested
    ]
    return f"""**Verdicts** by Y_k of seeds {ranges(tested[0]["seeds"])}, of {len(tested)} claims: {said}.
Differences in points, in the mean of a claim's datasets, with 95% intervals; the verdict takes each dataset
into account, after correction ([experiment.md](../reference/experiment.md)). ↳: of the same fact as one
above. Of a claim that names points or a share of its own, those are taken off. Each dataset, and the claims
on costs and trainings: [claims.md](../example/claims.md).

{grid(("claim", "paper", "ours", "verdict", "seeds that would decide"), lines)}
"""


def of_backbones(rows: Rows, cnn: Study) -> str:
    """Accuracies of the CNN, the contrasts of both networks, and what they say of the question."""
    scores = [("with the CNN", *_titles(cnn, "table1"), "mean")]
    scores += [(method, *_means(its)) for method, its in table_of(cnn, "table1").items()]
    titles = [row["label"] for row in rows if row["backbone"] == rows[0]["backbone"] and row["left"] == "MultiTrain"]
    contrasts = [("difference", "network", *titles[1:], MEAN), *_contrasts(rows)]
    return f"""Top-1 on test, the mean of seeds {ranges(cnn.seeds())}:

{grid(scores[0], scores[1:])}

Differences of top-1 on test in points, with 95% intervals:

{grid(contrasts[0], contrasts[1:])}

![Table 1's differences by backbone, in the mean and on each dataset]({FIGURE.name})

**Does the verdict depend on the backbone?** Each interval is taken alone, uncorrected for their number.
{" ".join(_answers(rows))}
"""


def _titles(study: Study, table: str) -> list[str]:
    scale, experiments = settings(study)
    return [scale.dataset(name).title for name in experiments.tables[table].datasets]


def _means(scores: np.ndarray) -> list[str]:
    return [f"{value:.1f}" for value in (*scores.mean(axis=0), scores.mean())]


def _contrasts(rows: Rows) -> Iterator[tuple[str, ...]]:
    """A row of cells a contrast and network: the datasets, then their mean."""
    by_network: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        by_network.setdefault((row["left"], row["right"], row["backbone"]), {})[row["dataset"]] = row
    for (left, right, backbone), its in by_network.items():
        ordered = [*(row for name, row in its.items() if name != MEAN), its[MEAN]]
        name = f"{NAMES.get(backbone, backbone)}, seeds {ranges(its[MEAN]['seeds'])}"
        yield f"{left} minus {right}", name, *(_points(row) for row in ordered)


def _answers(rows: Rows) -> Iterator[str]:
    """A sentence a contrast on the signs of both networks, then one on the lines where the networks differ."""
    for left, right in dict.fromkeys((row["left"], row["right"]) for row in rows):
        signs: dict[str, set[bool]] = {}
        for row in rows:
            if (
                (row["left"], row["right"]) == (left, right)
                and row["backbone"] != DIFFERENCE
                and row["dataset"] != MEAN
            ):
                signs.setdefault(row["label"], set()).add(row["difference"] > 0)
        above, below, mixed = (
            [label for label, its in signs.items() if its == which] for which in ({True}, {False}, {True, False})
        )
        parts = ((above, "above 0 with both networks"), (below, "below with both"), (mixed, "above with one alone"))
        yield f"{left} minus {right} is " + "; ".join(f"{said} on {listed(its)}" for its, said in parts if its) + "."
    compared = [row for row in rows if row["backbone"] == DIFFERENCE]
    differ = [row for row in compared if not row["low"] <= 0 <= row["high"]]
    named = "; ".join(f"{row['left']} minus {row['right']}, {row['label']}, {_points(row)}" for row in differ)
    yield f"That the networks' differences are alike is excluded in {len(differ)} of {len(compared)} lines" + (
        f": {named}." if named else "."
    )


def _points(row: Row) -> str:
    return difference(row["difference"], row["low"], row["high"])


def listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def compared(desk: Study, cnn: Study, results: Path) -> Rows:
    """The rows of backbones.csv, which is written into `results`."""
    write_backbones(desk, cnn, results)
    return read_rows(results / FILE, tuple(BACKBONES))


def page(text: str, desk: Study, cnn: Study, rows: Rows, example: Path = EXAMPLE) -> str:
    """The page's text with what the packed answers and the example's tables say now."""
    why = read_study(NOTES / WHY) if (NOTES / WHY).is_file() else None
    sections = {"seeds": of_seeds(desk), "verdicts": of_verdicts(example), "backbones": of_backbones(rows, cnn)}
    sections |= {"why": of_reasons(desk, why, example, NOTES)}
    for name, section in sections.items():
        text = replaced(text, f"{WRITER}: {name}", section, str(PAGE))
    return text


def main() -> None:
    desk, cnn = joined(), read_study(NOTES / CNN)
    with TemporaryDirectory() as folder:
        rows = compared(desk, cnn, Path(folder))
        save_figure(draw(Path(folder)), FIGURE, smoke_test=False)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), desk, cnn, rows), encoding="utf-8")


if __name__ == "__main__":
    start(main)
