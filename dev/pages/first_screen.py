"""README.md's first screen: the question, the forest plot and three sentences of docs/example's verdicts.

python -m dev.pages.first_screen    # after docs/example was written anew
"""

import csv
import re
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.command import start
from dev.example.records import RECORDS
from dev.pages.desk import EXAMPLE, PLANNED, ROOT, listed
from dev.pages.marked import replaced
from dev.pages.when_it_helps import at_equal_cost
from multitrain.analysis.figures import save_figure
from multitrain.analysis.figures.forest import draw
from multitrain.analysis.packed.packed_checks import settings
from multitrain.analysis.packed.packed_study import Study, read_study
from multitrain.analysis.render.cells import difference, signed
from multitrain.analysis.render.columns import CLAIMS
from multitrain.analysis.render.table_files import Row, Rows, read_rows
from multitrain.analysis.study.run_names import ranges

PAGE = ROOT / "README.md"
FIGURE = ROOT / "docs" / "guides" / "forest-desk.png"
WIDTH = 144  # columns of the page
WRITER = "dev/pages/first_screen.py"


def section(study: Study, rows: Rows) -> str:
    """The section's Markdown, of the rows of claims.csv."""
    scale, seeds = settings(study)[0], study.seeds()
    whole = {row["claim"]: row for row in rows if row["scope"] == "claim"}
    worlds = len(scale.by_world(seeds))
    there = "" if len(seeds) == PLANNED else f" ({len(seeds)} of {PLANNED} so far: what is said here may change)"
    said = {name: _said(row) for name, row in whole.items()}
    many = f"{worlds} synthetic world{'s' * (worlds > 1)}"
    text = f"""**Does one network for four datasets, trained with the two losses, beat a network a dataset?** Seeds
{ranges(seeds)}{there} of [scale `desk`](docs/guides/desk.md), a scale model of the paper: {many},
1,000 test videos a dataset, verdicts by [a rule written before](docs/reference/experiment.md). Differences in points of
top-1, with 95% intervals:

![The primary claims: our differences, the paper's own, and the verdicts]({FIGURE.relative_to(ROOT).as_posix()})

1. MultiTrain minus **a network a dataset**: {said["joint_training"]}; {_by_dataset(rows, "joint_training")}.
Minus networks of as many steps: {said["gain_beyond_steps"]}.

2. MultiTrain minus **joint training without the two losses** (Vanilla): {said["robust_loss_overall"]}.
Minus itself without the informative loss: {said["informative_loss"]}; without the projections,
on MiT and SSv2, less the 2 points that the claim has: {said["projection"]}.

3. MultiTrain minus **Vanilla trained four times as long**: {said["robust_loss_longer"]}. That
training takes what four baselines of as many steps take, and is {at_equal_cost(study)} from them (exploratory).
"""
    paragraphs = [textwrap.fill(" ".join(each.split()), WIDTH, break_on_hyphens=False) for each in text.split("\n\n")]
    return re.sub(r"\n\n(?=[23]\. )", "\n", "\n\n".join(paragraphs)) + "\n"


def _said(row: Row) -> str:
    paper = row.get("paper_difference")
    beside = f" (paper {signed(paper)})" if paper is not None else ""
    return f"{difference(row['difference'], row['low'], row['high'])}{beside}, **{row['claim_verdict']}**"


def _by_dataset(rows: Rows, claim: str) -> str:
    """Its datasets by the verdict of each."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["claim"] == claim and row["scope"] == "dataset":
            found.setdefault(row["verdict"], []).append(f"{row['label']} ({signed(row['difference'])})")
    return ", ".join(f"{verdict} on {listed(names)}" for verdict, names in found.items())


def primary(example: Path, folder: Path) -> None:
    """Write a claims.csv of the primary claims alone, those of one fact once, into `folder`."""
    with (example / "claims.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "claims.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row["primary"] == "yes" and not row["same_fact_as"])


def main() -> None:
    study, rows = read_study(EXAMPLE / RECORDS), read_rows(EXAMPLE / "claims.csv", tuple(CLAIMS))
    with TemporaryDirectory() as folder:
        primary(EXAMPLE, Path(folder))
        save_figure(draw(Path(folder)), FIGURE, smoke_test=False)
    PAGE.write_text(
        replaced(PAGE.read_text(encoding="utf-8"), WRITER, section(study, rows), str(PAGE)), encoding="utf-8"
    )


if __name__ == "__main__":
    start(main)
