"""Hyperparameter search of a run on val: the search of docs/reference/design.md, or every combination of given values.

    python dev/search.py vanilla --scale desk --seeds 0 1       # both stages, by the design's rule
    python dev/search.py vanilla --seeds 0 1 --value lr=5e-4,1e-3,2e-3 --value label_smoothing=0,0.1
    python dev/search.py vanilla --seeds 0 1 2 --value schedule=1,2     # is its schedule long enough?
    python dev/search.py k400_baseline --scale config/studies/desk_cnn.yaml --seeds 0 1 --rates

Without values: the run's four learning rates in GRIDS; while the best is at the end of what was tried, the next; then
two more settings at the best, which --rates leaves out. `schedule` is a factor on a recipe's epochs, warm-up included;
what was trained with nothing else changed is collected in PLATEAU of the scale. --scale may be the path of a study.

Needs the prepared datasets and, for each seed, the model of the run's `init`. Each line of RUN.csv is one training: its
values, seed, top-1 on val by dataset, of Y_k and of Y'_k, and the effective rank of the features z on val. The test
split is never read. Started again, it goes on with what is missing; several may work side by side, and share the work.
--trials is a file of all trainings that can be committed: what it has is not trained again on another machine.
"""

import argparse
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch

from multitrain.analysis.accuracy.embedding_spectrum import pooled, spectrum
from multitrain.analysis.study.measured import COLUMNS, PLATEAU
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.csv_files import write_frame
from multitrain.common.files.locks import locked_folder
from multitrain.common.ranks import ranks, top
from multitrain.common.records.renamed_keys import current_recipe
from multitrain.common.records.statistics import read_statistics
from multitrain.config.config_files import load_experiments, load_scale, parse, study_of
from multitrain.config.experiments import Run
from multitrain.config.recipes import Recipe
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.engine.train import train

JOINT, SINGLE = ["lr=1e-3,2e-3,4e-3,8e-3"], ["lr=5e-4,1e-3,2e-3,4e-3"]
GRIDS = {  # the first stage of docs/reference/design.md: as many trainings for every row
    **dict.fromkeys(("vanilla", "multitrain", "wo_informative", "wo_informative_wo_add", "wo_projection"), JOINT),
    **dict.fromkeys(("k400_baseline", "mit_baseline", "ssv2_baseline", "actnet_baseline"), SINGLE),
}
SETTINGS = (*Recipe.model_fields, "schedule")  # what a trial can choose


def combinations(values: list[str]) -> list[dict[str, float]]:
    """From ["lr=1,2", "x+y=3"] to [{"lr": 1, "x": 3, "y": 3}, {"lr": 2, "x": 3, "y": 3}]."""
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


def read_trial(path: Path) -> dict:
    """The line of one trained combination; those of an earlier version have keys that are renamed."""
    return current_recipe(json.loads(path.read_text()))


def chosen_in(row: dict) -> dict[str, float]:
    """The combination of a trial's line, without its run, seed and results."""
    return {name: value for name, value in row.items() if name in SETTINGS}


def is_trial_of(row: dict, run: str, seed: int, chosen: dict[str, float]) -> bool:
    return (row["run"], row["seed"], chosen_in(row)) == (run, seed, chosen)


def read_trials(folder: Path) -> list[dict]:
    return [read_trial(path) for path in sorted(folder.glob("*.json"))]


def trial_file(folder: Path, run: str, seed: int, chosen: dict[str, float]) -> Path:
    tag = "_".join(f"{name}={value:g}" for name, value in chosen.items())
    return folder / f"{run}_{tag}_seed{seed}.json"


def trials_frame(path: Path) -> pd.DataFrame:
    """A file of --trials, a row a training.

    Raises:
        UserError: it is not there, or another kind of file.
    """
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}): name a file that --trials wrote") from None
    if absent := {"run", "seed"} - set(frame):
        raise UserError(f"{path}: no column {' or '.join(sorted(absent))}: name a file that --trials wrote")
    return frame


def import_trials(path: Path, folder: Path) -> None:
    """Write the trainings of a file of --trials into the search's folder; those that it has already stay."""
    if not path.exists():
        return
    there = read_trials(folder)
    for line in trials_frame(path).to_dict("records"):
        row = current_recipe({str(name): value for name, value in line.items() if not pd.isna(value)})
        run, seed, chosen = row["run"], row["seed"], chosen_in(row)
        if not any(is_trial_of(other, run, seed, chosen) for other in there):
            with atomic(trial_file(folder, run, seed, chosen)) as temporary:
                temporary.write_text(json.dumps(row))


def export_trials(path: Path, folder: Path) -> None:
    """Write every training of the search's folder into one file, for --trials of another machine."""
    rows = sorted(read_trials(folder), key=lambda row: (row["run"], sorted(chosen_in(row).items()), row["seed"]))
    values = [name for name in SETTINGS if any(name in row for row in rows)]
    measures = {name for row in rows for name in row} - {"run", "seed", *values}
    results = sorted(measures, key=lambda name: (name == "effective_rank", name))
    frame = pd.DataFrame(rows, columns=["run", "seed", *values, *results])
    frame[results] = frame[results].round(2)
    write_frame(path, frame)


def plateau(rows: list[dict], settings: str) -> pd.DataFrame:
    """plateau.csv (resources/measured) of the trainings that changed nothing but the schedule."""
    lines = []
    for row in rows:
        datasets = [name.removesuffix("_projected") for name in row if name.endswith("_projected")]
        if chosen_in(row).keys() == {"schedule"}:
            training = {"settings": settings, "run": row["run"], "seed": row["seed"], "epochs_factor": row["schedule"]}
            lines += [{**training, "dataset": name, "top1": round(row[name], 3)} for name in datasets]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def mean_of(rows: list[dict], names: tuple[str, ...], **chosen: float) -> float:
    """The criterion: top-1 by Y_k, averaged over the datasets and the trainings with exactly these values."""
    same = [row for row in rows if chosen_in(row) == chosen]
    return float(np.mean([row[name] for row in same for name in names]))


def beyond(tried: list[float], best: float) -> float | None:
    """The next learning rate, where the best of those that were tried is the least or the largest."""
    return 2 * best if best == max(tried) else best / 2 if best == min(tried) else None


def second_stage(run: Run, best: float) -> list[dict[str, float]]:
    """Two more settings at the best learning rate: of the losses that the run has, else other learning rates."""
    settings = []
    if run.informative:
        settings.append({"lr": best, "variance_weight": 1.0, "covariance_weight": 1.0})
    if run.projection != "none":
        settings.append({"lr": best, "projection_std": 0.02})
    between = [{"lr": round(factor * best, 9)} for factor in (1.414, 0.707)]  # rounded as in a file of --trials
    return [*settings, *between][:2]


def top1(path: Path, column: str) -> float:
    """Top-1 in percent of one predictions file."""
    table = pq.read_table(path).to_pydict()
    if table[column][0] is None:
        return float("nan")
    return 100 * float(top(1, ranks(np.array(table[column]), np.array(table["label"]))).mean())


def trial(job: Job, chosen: dict[str, float], folder: Path, wait: bool) -> dict:
    """Train and evaluate one combination with one seed; a finished one is read, not done again.

    Raises:
        UserError: another process does it, and `wait` is false; or it cannot be trained.
    """
    done = trial_file(folder, job.name, job.seed, chosen)
    for path in folder.glob(f"{job.name}_*_seed{job.seed}.json"):  # of an earlier version, whose keys were others
        if is_trial_of(row := read_trial(path), job.name, job.seed, chosen):
            return row
    tag = done.name.removeprefix(f"{job.name}_").removesuffix(f"_seed{job.seed}.json")
    results = folder / tag
    with locked_folder(replace(job, results=results).folder, f"{tag} is being tried", wait):
        if not done.exists():
            row = {"run": job.name, "seed": job.seed, **chosen, **measured(job, chosen, results)}
            with atomic(done) as temporary:
                temporary.write_text(json.dumps(row))
        return read_trial(done)


def measured(job: Job, chosen: dict[str, float], results: Path) -> dict[str, float]:
    """Top-1 on val of a training with these values."""
    recipe = parse(Recipe, job.recipe.model_dump() | values_of(job.recipe, chosen), "--value")
    scale = job.scale.model_copy(update={"recipes": {**job.scale.recipes, job.run.recipe: recipe}})
    run = job.run.model_copy(update={"set": {}})  # its values are in the recipe
    experiments = job.experiments.model_copy(update={"runs": {**job.experiments.runs, job.name: run}})
    here = Job(scale, experiments, job.name, job.seed, job.data, results)
    if job.run.init:
        if not (init := job.folder_of(job.run.init) / "model.pt").exists():
            raise UserError(
                f"{init}: no such file: {job.name} starts from it: train it, or name its folder in --results"
            )
        own = here.folder_of(job.run.init) / "model.pt"
        if not own.exists():  # the same initial weights for all combinations
            own.parent.mkdir(parents=True, exist_ok=True)
            own.unlink(missing_ok=True)
            own.symlink_to(init.resolve())
    train(here, torch.device("cpu"))
    statistics, results_on_val = [], {}
    for dataset in job.run.datasets:
        out = here.folder / "predictions_val" / f"{dataset}.parquet"
        evaluate(here, dataset, "val", out, torch.device("cpu"))
        results_on_val[dataset] = top1(out, "scores")
        results_on_val[f"{dataset}_projected"] = top1(out, "scores_projected")
        statistics.append(read_statistics(out.with_suffix(".npz")))
    results_on_val["effective_rank"] = spectrum(pooled(statistics, "features")[2]).effective_rank
    return results_on_val


def trials(jobs: list[Job], settings: list[dict[str, float]], folder: Path) -> list[dict]:
    """Train every setting with every job's seed; those that another process works on come last."""
    todo, rows = list(itertools.product(settings, jobs)), []
    for wait in (False, True):
        left = []
        for chosen, job in todo:
            try:
                rows.append(trial(job, chosen, folder, wait))
            except UserError:
                if wait:
                    raise
                left.append((chosen, job))
        todo = left
    return rows


def staged(jobs: list[Job], folder: Path, rates: bool = False) -> str:
    """Both stages of docs/reference/design.md, or the first alone, of `rates`; a line that says what was chosen."""
    run, names = jobs[0].run, jobs[0].run.datasets
    settings = combinations(GRIDS[jobs[0].name])
    while True:
        rows = trials(jobs, settings, folder)
        tried = [chosen["lr"] for chosen in settings]
        best = max(tried, key=lambda lr: mean_of(rows, names, lr=lr))
        if not (further := beyond(tried, best)):
            break
        settings.append({"lr": further})
    settings += [] if rates else second_stage(run, best)
    rows = trials(jobs, settings, folder)
    chosen = max(settings, key=lambda each: mean_of(rows, names, **each))
    values = ", ".join(f"{name} {value:g}" for name, value in chosen.items())
    return f"{jobs[0].name}: chosen of {len(settings)} settings: {values}: {mean_of(rows, names, **chosen):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--value", action="append", help="name=value,value,... of the recipe; a+b=... sets both; else both stages"
    )
    parser.add_argument("--rates", action="store_true", help="the first stage alone: learning rates")
    parser.add_argument("--trials", type=Path, help="CSV file of all trainings: read first, and written anew")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    if not options.value and options.run not in GRIDS:
        parser.error(f"{options.run} has no learning rates of its own ({', '.join(GRIDS)} have): give --value")
    torch.set_num_threads(1)
    scale = load_scale(options.scale)
    study = study_of("config", options.scale)
    experiments = load_experiments(study.path if study else "config", scale)
    folder = options.results / "search" / scale.name
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [Job(scale, experiments, options.run, seed, options.data, options.results) for seed in options.seeds]
    if options.trials:
        import_trials(options.trials, folder)
    if options.value:
        trials(jobs, combinations(options.value), folder)
    else:
        sys.stdout.write(f"{staged(jobs, folder, options.rates)}\n")
    if options.trials:
        export_trials(options.trials, folder)
    rows = read_trials(folder)
    frame = pd.DataFrame([row for row in rows if row["run"] == options.run])
    if not (lengths := plateau(rows, scale.fingerprint)).empty:
        lengths.to_csv(folder / PLATEAU, index=False)
    names = experiments.run(options.run).datasets
    frame["mean"] = frame[list(names)].mean(axis=1)
    frame["mean_projected"] = frame[[f"{name}_projected" for name in names]].mean(axis=1)
    measures = frame.columns.difference(["run", "seed", *SETTINGS])  # a rate stays exact
    frame[measures] = frame[measures].round(4)
    frame.to_csv(folder / f"{options.run}.csv", index=False)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
