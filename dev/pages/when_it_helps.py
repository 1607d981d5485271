"""docs/guides/when-it-helps.md: what to expect of joint training, by the study's records and the sweep's answers.

python -m dev.pages.when_it_helps    # after docs/example was written anew, or points of the sweep were added
"""

import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.command import start
from dev.example.records import RECORDS
from dev.pages.desk import EXAMPLE, NOTES, ROOT, listed, table_of
from dev.rule.run_contrast import Side, contrast, worlds_of
from multitrain.analysis.cost.study_cost import core_hours
from multitrain.analysis.figures import save_figure
from multitrain.analysis.figures.comparisons.when_it_helps import draw
from multitrain.analysis.packed.packed_checks import settings
from multitrain.analysis.packed.packed_study import Study, read_study
from multitrain.analysis.render.cells import difference
from multitrain.analysis.render.columns import CLAIMS, SWEEP
from multitrain.analysis.render.table_files import Row, Rows, read_rows
from multitrain.analysis.study.run_names import ranges
from multitrain.analysis.study.sweep_gains import MEAN, left, write_sweep
from multitrain.common.markup import grid
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.planning.sweep_points import FACTORS, JOINT, Points, load_points

OUT = ROOT / "docs" / "guides" / "when-it-helps.md"
FIGURE = OUT.with_suffix(".png")
SWEPT = NOTES / "sweep"  # a folder a point, a file a seed
TABLE, STEPS = "table3", "Baseline, steps of MultiTrain"
AT_EQUAL_STEPS = {"MultiTrain": ("gain_beyond_steps", 1), "Vanilla": ("simple_combining_steps", -1)}  # claim, sign
COMPARED = {
    "Baseline": "a network a dataset",
    STEPS: "a network a dataset, each as many steps as MultiTrain",
    "MultiTrain": "one network, MultiTrain",
    "Vanilla": "one network, Vanilla",
    "Vanilla, 4x schedule": "one network, Vanilla, four times as long",
}


def in_the_study(study: Study, example: Path) -> str:
    """The gains at the study's own length, dataset by dataset."""
    scale, experiments = settings(study)
    datasets = experiments.tables[TABLE].datasets
    counts = {row["dataset"]: row for row in _csv(example / "datasets.csv") if row["split"] == "train"}
    clips = {name: int(row["used_as_train"]) / int(row["classes"]) for name, row in counts.items()}
    baseline = table_of(study, TABLE)[STEPS]
    by_method = _gains(example)
    rows = [
        ("", *(scale.dataset(name).title for name in datasets), MEAN),
        ("training clips a class", *(f"{clips[name]:.0f}" for name in datasets), "-"),
        (STEPS, *(f"{value:.1f}" for value in (*baseline.mean(axis=0), baseline.mean()))),
        *((f"{method} minus that", *map(_points, its)) for method, its in by_method.items()),
    ]
    sentences = " ".join(f"{method} is {sides(its[:-1])}." for method, its in by_method.items())
    return f"""Top-1 on test of seeds {ranges(study.seeds())} in percent, and differences in points with 95%
intervals, each taken alone:

{grid(rows[0], rows[1:])}

At as many steps and from the same weights as a network for the dataset alone: {sentences}
"""


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _gains(example: Path) -> dict[str, Rows]:
    """By method, its gain over baselines of as many steps: a row a dataset, then their mean."""
    rows, found = read_rows(example / "claims.csv", tuple(CLAIMS)), {}
    for method, (claim, sign) in AT_EQUAL_STEPS.items():
        whole, *single = (row for row in rows if row["claim"] == claim)
        found[method] = [_signed(row, sign) for row in (*single, whole)]
    return found


def _signed(row: Row, sign: int) -> Row:
    low, high = sorted((sign * row["low"], sign * row["high"]))
    return {"label": row["label"], "gain": sign * row["difference"], "low": low, "high": high}


def sides(rows: Rows) -> str:
    """On which of some lines an interval lies above 0, below it, or holds it: a phrase with the numbers."""
    groups: dict[str, list[str]] = {"above on": [], "below on": [], "not shown to differ on": []}
    above, below, neither = groups.values()
    for row in rows:
        group = above if row["low"] > 0 else below if row["high"] < 0 else neither
        group.append(f"{row['label']} ({_points(row)})")
    return "; ".join(f"{said} {listed(names)}" for said, names in groups.items() if names)


def cost(study: Study) -> str:
    """What each way takes for one seed, and what it reaches."""
    experiments, hours, seeds = settings(study)[1], core_hours(study), study.seeds()
    table, reached = experiments.tables[TABLE], table_of(study, TABLE)
    rows = [("", "trainings", "core-hours a seed", "mean top-1")]
    for row in table.rows:
        if row.method in COMPARED:
            runs = sorted(set(row.runs))
            taken = sum(hours[run, seed] for run in runs for seed in seeds) / len(seeds)
            rows.append((COMPARED[row.method], str(len(runs)), f"{taken:.2f}", f"{reached[row.method].mean():.1f}"))
    return f"""{grid(rows[0], rows[1:])}

Core-hours are those of the records, by the clock, with light work beside some trainings. All start from
K400's baseline, whose training is among the first row's. At test time one network with four heads takes as
much a clip as each of four networks does. **For the cost of four baselines of as many steps, one network can
be trained four times as long**: Vanilla trained so is {at_equal_cost(study)} points above them in the mean. No
claim of the study, chosen after it was seen: exploratory.
"""


def at_equal_cost(study: Study) -> str:
    """Vanilla at four times the schedule minus four baselines of MultiTrain's steps: as many steps in all."""
    return _points(_contrast(study, "Vanilla, 4x schedule", STEPS))


def _contrast(study: Study, left: str, other: str) -> Row:
    """A method minus another in the mean of the datasets, over seeds, videos and worlds."""
    _, experiments = settings(study)
    table = experiments.tables[TABLE]
    first, second = (
        Side({dataset: experiments.run_of(table, method, dataset) or "" for dataset in table.datasets})
        for method in (left, other)
    )
    found = contrast(study, first, second, worlds_of(study), table.datasets)
    low, high = found.interval
    return {"gain": 100 * found.value, "low": 100 * low, "high": 100 * high}


def factors(rows: Rows, points: Points, without: Sequence[str]) -> Iterator[str]:
    """A section a factor of the sweep: its table, and what its ends say."""
    assert points.sweep is not None  # of which its points are
    means = [row for row in rows if row["dataset"] == MEAN]
    for factor, values in points.sweep.factors.items():
        its = [row for row in means if row["factor"] == factor]
        missing = [f"{value:g}" for value in values if points.names[factor, value] in without]
        yield f"### {FACTORS[factor][0]}\n"
        if its:
            yield from _factor(factor, its)
        if missing:
            yield f"**Not run yet**: {', '.join(missing)}.\n"


def _factor(factor: str, rows: Rows) -> Iterator[str]:
    by_value: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_value.setdefault(row["value"], {})[row["method"]] = row
    lines = [(value, f"{its[next(iter(JOINT))]['baseline']:.1f}", *(_points(its[name]) for name in JOINT))
             for value, its in by_value.items()]  # fmt: skip
    yield grid((factor, "baseline", *JOINT), lines) + "\n"
    for method in ("MultiTrain", "Vanilla"):
        labelled = [{**its[method], "label": value} for value, its in by_value.items()]
        yield f"{method} is {sides(labelled)}.\n"


def _points(row: Row) -> str:
    return difference(row["gain"], row["low"], row["high"])


def swept(folder: Path) -> tuple[Rows, Points, list[str]]:
    """The sweep's table, written into `folder`; its points, and the names of those that are missing."""
    scale = load_scale("desk", ROOT / "config")
    points = load_points(scale, load_experiments(ROOT / "config", scale), ROOT / "config")
    shutil.copytree(SWEPT, folder / "sweep")
    without = left(points, folder)
    write_sweep(scale, points, folder, without)
    return read_rows(folder / "when_it_helps.csv", tuple(SWEEP)), points, without


def page(study: Study, example: Path, rows: Rows, points: Points, without: Sequence[str]) -> str:
    """The whole page."""
    assert points.sweep is not None  # of which its points are
    run = len(points.by_name) - len(without)
    sections: Iterable[str] = factors(rows, points, without)
    return f"""# Should I train jointly?

What this study can tell one who has several action datasets and asks whether to train one network on all of them.
Written by `python -m dev.pages.when_it_helps` from committed answers.

**It is a synthetic world and a network of 0.27 M parameters** ([data card](../reference/data-card.md)). A sign that is
the same over seeds, worlds and settings may carry over; a number of points does not. With real datasets, train the
baselines at rates of their own and for as many steps before you compare: in the study at `mini`
[a shared rate](results.md#ten-seeds-of-table-1) turned a loss into a draw.

## At the study's own length

{in_the_study(study, example)}
## At which cost

{cost(study)}
## With how many clips, relatives, datasets

Short trainings, {points.sweep.epochs_factor:g} of the study's epochs, in worlds of their own: gains in top-1
on test over baselines of as many steps, in points with 95% intervals, seeds {ranges(points.sweep.seeds)},
means over the datasets that all points of a factor have. **Exploratory**: one factor at a time, no correction
for their number; nothing is claimed of it. {run} of {len(points.by_name)} points are there. `make sweep` runs
them ([config/sweep.yaml](../../config/sweep.yaml), [why these
rates](../reference/design.md#rates-of-the-sweep)).

![Gain over baselines of as many steps, by factor]({FIGURE.name})

{chr(10).join(sections)}"""


def main() -> None:
    with TemporaryDirectory() as folder:
        rows, points, without = swept(Path(folder))
        save_figure(draw(Path(folder), without), FIGURE, smoke_test=False)
    study = read_study(EXAMPLE / RECORDS)
    OUT.write_text(page(study, EXAMPLE, rows, points, without), encoding="utf-8")


if __name__ == "__main__":
    start(main)
