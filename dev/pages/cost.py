"""docs/reference/cost.md: core-hours and energy of the committed study and searches, from their records.

python -m dev.pages.cost
"""

from pathlib import Path

from multitrain.analysis.cost.energy import ASSUMED, WORLD
from multitrain.analysis.cost.study_cost import HEAD, Part, cells, searched, study_parts
from multitrain.analysis.packed.packed_checks import merge
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.study.run_names import ranges
from multitrain.common.markup import line
from multitrain.config.config_files import load_settings

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "reference" / "cost.md"
NOTES = ROOT / "docs" / "notes"
STUDY = "mini-table1.parquet"  # of docs/notes
SEEDS = "desk-seed*.parquet"  # of docs/notes
OTHER_BACKBONE = "desk-cnn.parquet"  # of docs/notes
SEARCHES = {
    **dict.fromkeys(("search-desk.csv", "search-desk-from100.csv", "search-desk-from200.csv"), "desk"),
    **dict.fromkeys(("search-desk-plateau.csv", "search-desk-sweep.csv"), "desk"),
    "search-desk-cnn.csv": str(ROOT / "config" / "studies" / "desk_cnn.yaml"),
    **dict.fromkeys(("search-mini-rates.csv", "search-mini.csv", "clip-mini.csv", "collapse.csv"), "mini"),
}  # of docs/notes, and the scale or study of each


def page() -> str:
    """The whole page."""
    published = ROOT / "resources" / "published"
    study = study_parts(read_study(NOTES / STUDY), published)
    desk, *others = map(read_study, sorted(NOTES.glob(SEEDS)))
    for other in others:
        merge(desk, other)
    seeds = study_parts(desk, published)
    other_backbone = study_parts(read_study(NOTES / OTHER_BACKBONE), published)
    settings = {scale: load_settings(scale, ROOT / "config") for scale in SEARCHES.values()}
    searches = [searched(NOTES / name, *settings[scale], published) for name, scale in SEARCHES.items()]
    hours = sum(part.core_hours for part in (*study, *seeds, *other_backbone, *searches))
    power = ASSUMED
    kwh = power.kwh(hours)
    return f"""# What it took: core-hours and energy

Written by `python -m dev.pages.cost` from what is committed; `multitrain results cost STUDY.parquet` prints the first
table of any packed study, and the report has the energy of its trainings.

## The ten seeds of Table 1 at scale `mini`

{_table(study)}

Core-hours of trainings are the seconds of each `run.json` times its threads and processes, by the clock: on a machine
that does other work they are more than the training alone would take. Tests are [an estimate](estimate.md), without the
start of processes.

## Scale `desk`: seeds {ranges(desk.seeds())} of ten

{_table(seeds)}

## The same with a 3-D CNN

{_table(other_backbone)}

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


def _table(parts: list[Part]) -> str:
    return "\n".join([line(HEAD), "| --- " * len(HEAD) + "|", *map(line, cells(parts))])


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
