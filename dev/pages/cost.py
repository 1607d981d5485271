"""docs/reference/cost.md: core-hours and energy of the committed study and searches, from their records.

python -m dev.pages.cost
"""

from pathlib import Path

from dev.command import start
from dev.pages.desk import CNN, PLANNED, WHY, joined
from dev.pages.when_it_helps import SWEPT
from multitrain.analysis.cost.energy import ASSUMED, WORLD
from multitrain.analysis.cost.study_cost import ESTIMATE, HEAD, Part, cells, searched, study_parts
from multitrain.analysis.cost.sweep_cost import costs
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.study.run_names import ranges
from multitrain.common.markup import grid
from multitrain.config.config_files import load_settings
from multitrain.planning.sweep_points import load_points

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "reference" / "cost.md"
NOTES = ROOT / "docs" / "notes"
PUBLISHED = ROOT / "resources" / "published"
STUDY = "mini-table1.parquet"  # of docs/notes
SEARCHES = {
    "desk": [f"search-desk{what}.csv" for what in ("", "-from100", "-from200", "-plateau", "-sweep")],
    str(ROOT / "config" / "studies" / "desk_cnn.yaml"): ["search-desk-cnn.csv"],
    "mini": ["search-mini-rates.csv", "search-mini.csv", "clip-mini.csv", "collapse.csv"],
}  # the scale or study of each, and its files of docs/notes


def page() -> str:
    """The whole page."""
    mini, cnn = (study_parts(read_study(NOTES / name), PUBLISHED) for name in (STUDY, CNN))
    study = joined()
    seeds, swept = study_parts(study, PUBLISHED), _swept()
    why = study_parts(read_study(NOTES / WHY), PUBLISHED) if (NOTES / WHY).is_file() else []
    searches = [
        part
        for scale, names in SEARCHES.items()
        for part in searched([NOTES / name for name in names], *load_settings(scale, ROOT / "config"), PUBLISHED)
    ]
    hours = sum(part.core_hours for part in (*mini, *seeds, *cnn, *why, *swept, *searches))
    power = ASSUMED
    kwh = power.kwh(hours)
    reasons = f"## The study of reasons\n\n{_table(why)}\n\n" if why else ""
    return f"""# What it took: core-hours and energy

Written by `python -m dev.pages.cost` from what is committed; `multitrain results cost STUDY.parquet` prints the first
table of any packed study, and the report has the energy of its trainings.

## The ten seeds of Table 1 at scale `mini`

{_table(mini)}

Core-hours of trainings are the seconds of each `run.json` times its threads and processes, by the clock: on a machine
that does other work they are more than the training alone would take. Tests are [an estimate](estimate.md), without the
start of processes.

## Scale `desk`: seeds {ranges(study.seeds())} of {PLANNED}

{_table(seeds)}

## The same with a 3-D CNN

{_table(cnn)}

{reasons}## The sweep

The points that have been trained, three seeds each, by estimate as the searches below.

{_table(swept)}

## Searches and small experiments

Their files hold what was tried and not how long it took, so trainings are estimated, of the recipes as they are now,
times their `schedule` where a file has it. The first five are of desk: search, plateaus, the sweep's rates; the
sixth is the search of its CNN.

{_table(searches)}

In all {hours:.1f} core-hours and {kwh:.2f} kWh: at the world's average of {WORLD:.0f} g of CO₂ equivalent a kWh
{kwh * WORLD / 1000:.2f} kg. Yours is the product of the kWh and what your grid emits for one.

## The formula

That of Green Algorithms (Lannelongue, Grealey and Inouye, [2021](https://doi.org/10.1002/advs.202100707)) with the
constants of its [calculator](https://github.com/GreenAlgorithms/green-algorithms-tool):

kWh = core-hours x ({power.core:g} W + {power.memory:g} W/GB x {power.gigabytes:g} GB) x {power.overhead:g} / 1000

{power.core:g} W is the calculator's core of any kind, fully used; {power.overhead:g} its overhead of a building of
which nothing is known (1 on a desk). {power.gigabytes:g} GB a core is ours: runs do not record what memory their
machine has. The calculator's own list has 4.2 and 15 W a core for its two EPYCs, the kind of processor that these
records name, so the energy may also be half of this.

## What is not in it

- Rendering and preparing the videos: a packed study has no record of it. Snakemake's `results/benchmarks` has the
  seconds.
- Tables, claims, figures and pages, and the start of processes.
- Development: tests, benchmarks, runs of earlier versions, trainings that were stopped, what was tried and not kept.
  Nobody counted it; it is likely more than all of the above.
- Cores that wait, disks, the network, and the making of the machine.
"""


def _swept() -> list[Part]:
    """The points of the sweep whose answers are committed."""
    scale, experiments = load_settings("desk", ROOT / "config")
    points = load_points(scale, experiments, ROOT / "config")
    there = {path.name for path in SWEPT.iterdir()}
    return [
        Part(f"point {cost.point}", cost.trainings, cost.training, ESTIMATE)
        for cost in costs(points, Path("not prepared"), PUBLISHED, scale)
        if cost.point in there
    ]


def _table(parts: list[Part]) -> str:
    return grid(HEAD, cells(parts))


def main() -> None:
    OUT.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    start(main)
