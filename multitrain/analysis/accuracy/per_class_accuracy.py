"""Per-class accuracy of a method beside the baseline's: where joint training helps and where it hurts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.render.columns import PER_CLASS
from multitrain.analysis.render.table_files import Row, Rows, write_rows
from multitrain.analysis.study.run_names import seeds_of, yes_no
from multitrain.common.errors import UserError
from multitrain.common.ranks import top
from multitrain.common.records.predictions import (
    SAME_MANIFEST,
    Predictions,
    predictions_path,
    read_predictions,
    require_same_clips,
)
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_classes"]


def write_classes(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/per_class.csv: one row a table, dataset and class, by the classes' labels.

    The rows are those that `experiments.compared` names, of the seeds that both have; of several worlds, whose classes
    are others, of the first. A gain's interval is that of the paired contrast on the class's clips. A class without a
    test clip has no numbers, and one of a dataset that only one of the two was trained on has no gain; the gain of Y'_k
    is over the same baseline and empty where the method has no projections.
    """
    rows = []
    for name, baseline, method in experiments.compared():
        table = experiments.table(name)
        for dataset in table.datasets:
            named = [experiments.run_of(table, row, dataset) if row else None for row in (baseline, method)]
            if not (runs := [run for run in named if run is not None]):
                continue
            home = results / "runs" / scale.name
            trained = [seeds_of(home, run, seeds) for run in runs]
            both = scale.first_world([seed for seed in trained[0] if seed in trained[-1]] or trained[0])
            folders = [[home / run / f"seed{seed}" for seed in both] for run in runs]
            records = [read_record(folder) for each in folders for folder in each]
            about = {
                **{"table": name, "dataset": dataset, "title": scale.dataset(dataset).title},
                **{"baseline": baseline, "method": method, "scale": scale.name},
                "seeds": both,
                "synthetic": yes_no(any(each["synthetic"] for each in records)),
            }
            numbers = _dataset_rows(folders[0], folders[-1], dataset)
            if len(runs) < 2:
                numbers = [
                    {key: row[key] for key in ("class", "clips", "top1_baseline") if key in row} for row in numbers
                ]
            rows += [{**about, **row} for row in numbers]
    write_rows(results / "per_class.csv", rows, PER_CLASS)


def _dataset_rows(baseline: list[Path], method: list[Path], dataset: str) -> Rows:
    """One row a class of a dataset, from the folders of both methods, one a seed."""
    before = [read_predictions(predictions_path(folder, dataset)) for folder in baseline]
    after = [read_predictions(predictions_path(folder, dataset)) for folder in method]
    _require_same_classes([*before, *after])
    labels = before[0].labels
    base, own = (_correct([each.rank for each in found]) for found in (before, after))
    videos = before[0].videos
    projected = None
    if all(each.projected is not None for each in after):
        projected = _correct([each.projected for each in after if each.projected is not None])
    rows = []
    for index, name in enumerate(before[0].classes):
        clips = labels == index
        row = {"class": name, "clips": int(clips.sum())}
        if clips.any():
            row["top1_baseline"] = 100 * base[:, clips].mean()
            row |= _gain(own[:, clips], base[:, clips], videos[clips], "")
            if projected is not None:
                row |= _gain(projected[:, clips], base[:, clips], videos[clips], "_projected")
        rows.append(row)
    return rows


def _gain(own: np.ndarray, base: np.ndarray, videos: np.ndarray, suffix: str) -> Row:
    """Accuracy and paired gain, in percent and points, of one class's clips (S, N)."""
    low, high = np.clip(estimate([own - base], [videos]).interval, -1, 1)
    numbers = {
        f"top1{suffix}": own.mean(),
        f"gain{suffix}": (own - base).mean(),
        f"gain{suffix}_low": low,
        f"gain{suffix}_high": high,
    }
    return {key: 100 * number for key, number in numbers.items()}


def _correct(rank: Sequence[np.ndarray]) -> np.ndarray:
    """Top-1 correctness (S, N), a row a seed."""
    return top(1, np.stack(rank)).astype(float)


def _require_same_classes(found: Sequence[Predictions]) -> None:
    """Raise a UserError unless all files are of the same clips and of the same, named, classes."""
    first = found[0]
    if not first.classes:
        raise UserError(f"{first.path}: no class names: evaluate the run again")
    require_same_clips(found)
    for other in found[1:]:
        if first.classes != other.classes:
            raise UserError(f"{other.path}: not the classes of {first.path}: {SAME_MANIFEST}")
