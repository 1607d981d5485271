"""Top-1 by run, dataset and seed, with the mean over seeds and its interval: seeds.csv."""

from pathlib import Path

import numpy as np
import pandas as pd

from multitrain.analysis.accuracy.contrasts import estimate_over_worlds
from multitrain.analysis.render.columns import SEEDS
from multitrain.analysis.render.table_files import Rows, write_rows
from multitrain.analysis.study.run_names import method_names, seeds_of, world_of, yes_no
from multitrain.common.ranks import top
from multitrain.common.records.predictions import Predictions, predictions_path, read_predictions
from multitrain.common.records.run_record import has_record, read_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_seeds"]


def write_seeds(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> dict[str, int]:
    """Write <results>/seeds.csv; the number of test videos by dataset, of the smallest test set of any seed."""
    names, home = method_names(experiments, scale), results / "runs" / scale.name
    rows: Rows = []
    for run in experiments.shown_runs():
        trained = seeds_of(home, run, seeds)
        if not has_record(home / run / f"seed{trained[0]}"):
            continue
        for dataset in experiments.run(run).datasets:
            found = [_read(home / run / f"seed{seed}", dataset) for seed in trained]
            of = {seed: each for seed, (each, _) in zip(trained, found, strict=True)}
            mean = _mean_over_seeds([[of[seed] for seed in those] for those in scale.by_world(trained).values()])
            for seed, (each, synthetic) in zip(trained, found, strict=True):
                row = {"run": run, "method": names[run], "dataset": dataset, "seed": seed}
                row |= {"world": world_of(scale, seed), "clips": len(each.labels), "videos": len(set(each.videos))}
                row |= {"top1": _percent(each.rank)}
                if experiments.run(run).adds and each.projected is not None:
                    row |= {"top1_projected": _percent(each.projected)}
                rows.append({**row, **mean, "scale": scale.name, "synthetic": synthetic})
    write_rows(results / "seeds.csv", rows, SEEDS)
    return pd.DataFrame(rows).groupby("dataset", sort=False)["videos"].min().to_dict()


def _read(folder: Path, dataset: str) -> tuple[Predictions, str]:
    return read_predictions(predictions_path(folder, dataset)), yes_no(read_record(folder)["synthetic"])


def _percent(ranks: np.ndarray) -> float:
    return 100 * top(1, ranks).mean()


def _mean_over_seeds(worlds: list[list[Predictions]]) -> dict[str, float]:
    """The mean over seeds with its interval, of the answers in each world."""
    right = [top(1, np.stack([each.rank for each in its])).astype(float) for its in worlds]
    its = estimate_over_worlds([([each], [found[0].videos]) for each, found in zip(right, worlds, strict=True)])
    low, high = its.interval_of_accuracy
    return {"top1_mean": 100 * its.value, "top1_low": 100 * low, "top1_high": 100 * high}
