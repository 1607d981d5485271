"""Choose recipe values of a run on val: every combination of the given values, with every given seed.

    python workflow/scripts/search.py vanilla --seeds 0 1
    python workflow/scripts/search.py vanilla --seeds 0 1 --value rate=5e-4,1e-3,2e-3 --value label_smoothing=0,0.1
    python workflow/scripts/search.py vanilla --seeds 0 1 2 --value schedule=1,2     # is its schedule long enough?

Without values it is the run's own grid in GRIDS, four rates each, the first stage of docs/design.md; the second is
given with --value. A best value at the end of its grid is named: a wider grid may hold a better one. `schedule` is a
factor on a recipe's epochs; what was trained with nothing else changed is collected in PLATEAU of the scale.

Needs the prepared datasets and, for each seed, the model of the run's `init`. Each line of RUN.csv is one training: its
values, seed, top-1 on val by dataset, of Y_k and of Y'_k, and the effective rank of the features z on val. The test
split is never read. Started again, it goes on with what is missing; two of them may work side by side (`--part 0/2`,
`--part 1/2`).
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch

from multitrain.analysis.measured import COLUMNS, PLATEAU
from multitrain.analysis.spectrum import spectrum
from multitrain.analysis.statistics import pooled, read_statistics
from multitrain.configfile import load_experiments, load_scale
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.ranks import ranks, top
from multitrain.recipes import Recipe

JOINT, SINGLE = ["rate=1e-3,2e-3,4e-3,8e-3"], ["rate=5e-4,1e-3,2e-3,4e-3"]
GRIDS = {  # the first stage of docs/design.md: as many trainings for every row
    **dict.fromkeys(("vanilla", "multitrain", "wo_informative", "wo_informative_wo_add", "wo_projection"), JOINT),
    **dict.fromkeys(("k400_baseline", "mit_baseline", "ssv2_baseline", "actnet_baseline"), SINGLE),
}


def combinations(values: list[str]) -> list[dict[str, float]]:
    """From ["rate=1,2", "x+y=3"] to [{"rate": 1, "x": 3, "y": 3}, {"rate": 2, "x": 3, "y": 3}]."""
    names, choices = zip(*(value.split("=") for value in values), strict=True)
    return [
        {name: float(value) for joined, value in zip(names, chosen, strict=True) for name in joined.split("+")}
        for chosen in itertools.product(*(text.split(",") for text in choices))
    ]


def values_of(recipe: Recipe, chosen: dict[str, float]) -> dict[str, float]:
    """The recipe's values for a combination, of which `schedule` is a factor on its epochs, warm-up included."""
    factor = chosen.get("schedule", 1)
    longer = {"epochs": factor * recipe.epochs, "warmup_epochs": factor * recipe.warmup_epochs}
    return longer | {name: value for name, value in chosen.items() if name != "schedule"}


def plateau(rows: list[dict], settings: str) -> pd.DataFrame:
    """plateau.csv (resources/measured) of the trainings that changed nothing but the schedule."""
    known = {"run", "seed", "schedule", "effective_rank"}
    found = []
    for row in rows:
        datasets = [name.removesuffix("_projected") for name in row if name.endswith("_projected")]
        if "schedule" in row and row.keys() <= known | {*datasets, *(f"{name}_projected" for name in datasets)}:
            said = {"settings": settings, "run": row["run"], "seed": row["seed"], "epochs_factor": row["schedule"]}
            found += [{**said, "dataset": name, "top1": round(row[name], 3)} for name in datasets]
    return pd.DataFrame(found, columns=list(COLUMNS))


def at_the_edge(frame: pd.DataFrame, values: list[str]) -> list[str]:
    """A line for each value whose best, by the mean over seeds, is the least or the largest of three or more."""
    names = [text.partition("=")[0].partition("+")[0] for text in values]
    best = frame.groupby(names)["mean"].mean().idxmax()
    best = best if isinstance(best, tuple) else (best,)
    said = []
    for name, value in zip(names, best, strict=True):
        tried = sorted(frame[name].unique())
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            said.append(f"{name} {value:g} is best and at the end of what was tried: try values beyond it")
    return said


def top1(path: Path, column: str) -> float:
    """Top-1 in percent of one predictions file."""
    table = pq.read_table(path).to_pydict()
    if table[column][0] is None:
        return float("nan")
    return 100 * float(top(1, ranks(np.array(table[column]), np.array(table["label"]))).mean())


def trial(job: Job, chosen: dict[str, float], folder: Path) -> dict:
    """Train and evaluate one combination with one seed; a finished one is read, not done again."""
    tag = "_".join(f"{name}={value:g}" for name, value in chosen.items())
    done = folder / f"{job.name}_{tag}_seed{job.seed}.json"
    if done.exists():
        return json.loads(done.read_text())
    recipe = type(job.recipe).model_validate(job.recipe.model_dump() | values_of(job.recipe, chosen))
    scale = job.scale.model_copy(update={"recipes": {**job.scale.recipes, job.run.recipe: recipe}})
    results = folder / f"{tag}"
    here = Job(scale, job.experiments, job.name, job.seed, job.data, results)
    if job.run.init and not (init := here.folder_of(job.run.init) / "model.pt").exists():
        init.parent.mkdir(parents=True, exist_ok=True)  # the same initial weights for all combinations
        init.symlink_to((job.folder_of(job.run.init) / "model.pt").resolve())
    train(here, torch.device("cpu"))
    statistics = []
    found = {"run": job.name, "seed": job.seed, **chosen}
    for dataset in job.run.datasets:
        out = here.folder / "predictions_val" / f"{dataset}.parquet"
        evaluate(here, dataset, "val", out, torch.device("cpu"))
        found[dataset], found[f"{dataset}_projected"] = top1(out, "scores"), top1(out, "scores_projected")
        statistics.append(read_statistics(out.with_suffix(".npz")))
    found["effective_rank"] = spectrum(pooled(statistics, "features")[2]).effective_rank
    done.write_text(json.dumps(found))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--value", action="append", help="name=value,value,... of the recipe; a+b=... sets both; else the run's GRIDS"
    )
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--part", default="0/1", help="i/n: only every n-th training, from the i-th")
    options = parser.parse_args()
    if not (values := options.value or GRIDS.get(options.run)):
        parser.error(f"{options.run} has no grid of its own ({', '.join(GRIDS)} have): give --value")
    torch.set_num_threads(1)
    scale = load_scale(options.scale)
    experiments = load_experiments(scale=scale)
    folder = options.results / "search" / scale.name
    folder.mkdir(parents=True, exist_ok=True)
    index, parts = map(int, options.part.split("/"))
    todo = list(itertools.product(combinations(values), options.seeds))
    for chosen, seed in todo[index::parts]:
        trial(Job(scale, experiments, options.run, seed, options.data, options.results), chosen, folder)
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    frame = pd.DataFrame([row for row in rows if row["run"] == options.run])
    if not (lengths := plateau(rows, scale.fingerprint)).empty:
        lengths.to_csv(folder / PLATEAU, index=False)
    names = experiments.run(options.run).datasets
    frame["mean"] = frame[list(names)].mean(axis=1)
    frame["mean_projected"] = frame[[f"{name}_projected" for name in names]].mean(axis=1)
    frame.round(2).to_csv(folder / f"{options.run}.csv", index=False)
    for line in at_the_edge(frame, values):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
