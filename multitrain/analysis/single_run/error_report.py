"""Confusion and calibration files of one training: `multitrain confusion` and `multitrain calibration`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from multitrain.analysis.datasets.contact_sheet import frames_of_clip, save_sheet
from multitrain.analysis.figures import save_figure
from multitrain.analysis.single_run.calibration import calibration
from multitrain.analysis.single_run.confusion import Confusion, PredictedClasses, read_predicted
from multitrain.analysis.single_run.confusion_matrix import draw_confusion
from multitrain.analysis.single_run.reliability import draw_reliability
from multitrain.analysis.study.run_names import method_names
from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import write_frame
from multitrain.common.files.filenames import shown
from multitrain.common.records.predictions import predictions_path, read_predictions, read_scores
from multitrain.common.records.run_record import read_record
from multitrain.config.config_files import load_settings
from multitrain.config.scale import Scale
from multitrain.data.manifest import read_manifest

__all__ = ["RunPredictions", "find_predictions", "write_calibration", "write_confusion"]

HEADS = ("Y_k", "Y'_k")


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of one training on one split of some datasets."""

    scale: Scale
    method: str
    seed: int
    split: str
    predictions: dict[str, Path]  # by dataset

    def title(self, dataset: str) -> str:
        """E.g. `MultiTrain, seed 0, on K400's test clips (scale mini)`."""
        title = self.scale.dataset(dataset).title
        return f"{self.method}, seed {self.seed}, on {title}'s {self.split} clips ({self.where})"

    @property
    def where(self) -> str:
        """The scale, and whether its videos are synthetic."""
        return f"scale {self.scale.name}{', synthetic' * (self.scale.world is not None)}"


def find_predictions(run: Path, split: str, datasets: list[str] | None, config: Path) -> RunPredictions:
    """The predictions in the folder of a run and seed, of all datasets or of those named.

    Raises:
        UserError: no run or no such predictions.
    """
    record = read_record(run, "run", "scale", "seed")
    scale, experiments = load_settings(record["scale"], config)
    home = predictions_path(run, "DATASET", split).parent
    found = {path.stem: path for path in sorted(home.glob("*.parquet"))}
    for name in datasets or []:
        if name not in found:
            raise UserError(
                f"{home / name}.parquet: no such predictions: "
                f"`multitrain evaluate {record['run']} {name} --split {split}` writes them"
            )
    if not found:
        raise UserError(f"{home}: no predictions: `multitrain evaluate {record['run']} DATASET --split {split}` first")
    method = method_names(experiments, scale).get(record["run"], record["run"])
    return RunPredictions(scale, method, record["seed"], split, {name: found[name] for name in datasets or found})


def write_calibration(run: RunPredictions, out: Path, name: str = "calibration") -> Iterator[str]:
    """Write <name>.png and <name>.csv of every head into `out`; a line a head for the terminal.

    Raises:
        UserError: predictions without probabilities, such as those of a packed study.
    """
    heads, rows = {}, []
    for dataset, path in run.predictions.items():
        found = read_predictions(path)
        for head, scores in zip(HEADS, read_scores(path), strict=True):
            if scores is None:
                continue
            its = calibration(scores, found.labels, found.videos)
            heads[f"{run.scale.dataset(dataset).title}, {head}"] = its
            rows += [{"dataset": dataset, "head": head, **vars(each), "scale": run.scale.name} for each in its.bins]
            yield (
                f"{run.scale.dataset(dataset).title} by {head}: ECE {100 * its.ece:.1f} % (a calibrated head: "
                f"{100 * its.ece_calibrated:.1f} %, 95% of them below {100 * its.ece_limit:.1f} %); "
                f"mean probability {100 * its.confidence:.1f} %, right {100 * its.accuracy:.1f} %; "
                f"log loss {its.log_loss:.3f}"
            )
    title = (
        run.title(next(iter(run.predictions)))
        if len(run.predictions) == 1
        else f"{run.method}, seed {run.seed} ({run.where})"
    )
    write_frame(out / f"{name}.csv", pd.DataFrame(rows), "%.4f")
    save_figure(draw_reliability(heads, f"Calibration of {title}"), out / f"{name}.png", run.scale.smoke_test)
    yield f"{shown(out / name)}.png, {name}.csv"


def write_confusion(run: RunPredictions, out: Path, data: Path, projected: bool, worst: int) -> Iterator[str]:
    """Write the confusion matrix, per-class results and worst confusions of each dataset; lines for the terminal.

    <dataset>_confusion.png, <dataset>_classes.csv, <dataset>_confusions.csv, and where the prepared clips are in `data`
    frames of the worst confusions, <dataset>_confusions.jpg.

    Raises:
        UserError: no such head, or a prepared dataset that is not the one of the predictions.
    """
    for dataset, path in run.predictions.items():
        predicted = read_predicted(path, projected)
        title = run.title(dataset) + (f", by {HEADS[1]}" if projected else "")
        write_frame(out / f"{dataset}_classes.csv", pd.DataFrame(predicted.by_class()), "%.2f")
        pairs = predicted.worst(len(predicted.labels))
        rows = [_confusion_row(predicted, each) | {"clip_ids": "; ".join(each.clips)} for each in pairs]
        write_frame(out / f"{dataset}_confusions.csv", pd.DataFrame(rows))
        save_figure(draw_confusion(predicted, title), out / f"{dataset}_confusion.png", run.scale.smoke_test)
        manifest = run.scale.clips_folder(dataset, data, run.scale.world_of(run.seed)) / "manifest.parquet"
        if pairs and manifest.is_file():
            _write_frames(run, dataset, predicted, manifest, pairs[:worst], out / f"{dataset}_confusions.jpg", title)
        files = f"{shown(out / dataset)}_confusion.png, _classes.csv, _confusions.csv"
        yield f"{title}: {sum(row['clips'] for row in rows)} of {len(predicted.labels)} clips taken for another class"
        for row in rows[:worst]:
            yield f"  {row['clips']} of {row['of']}: {row['class']} -> {row['answered']}"
        yield f"{files}, _confusions.jpg" if manifest.is_file() else f"{files}; no frames: {manifest} is not there"


def _confusion_row(predicted: PredictedClasses, pair: Confusion) -> dict:
    names = {"class": predicted.classes[pair.true], "answered": predicted.classes[pair.answered]}
    return names | {"clips": len(pair.clips), "of": pair.of}


def _write_frames(
    run: RunPredictions,
    dataset: str,
    predicted: PredictedClasses,
    manifest: Path,
    pairs: list[Confusion],
    path: Path,
    title: str,
) -> None:
    """Write a contact sheet: left a confused clip, right a recognised one of the class that it was taken for."""
    clips = read_manifest(manifest).split(run.split)
    place = {clip: row for row, clip in enumerate(clips.table["clip_id"].to_pylist())}
    if clips.classes != predicted.classes or not set(predicted.clip_ids) <= place.keys():
        raise UserError(f"{manifest}: not the clips of {run.predictions[dataset]}: evaluate the run again")

    def frames(clip: str) -> np.ndarray:
        return frames_of_clip(clips, run.scale.dataset(dataset), run.scale.model.frames, place[clip])

    pictures: list[tuple[str, np.ndarray | None]] = []
    for pair in pairs:
        true, other = predicted.classes[pair.true], predicted.classes[pair.answered]
        recognised = predicted.clip_ids[(predicted.labels == pair.answered) & (predicted.answered == pair.answered)]
        pictures.append((f"{true}, taken for {other}: {len(pair.clips)} of {pair.of} clips", frames(pair.clips[0])))
        right = f"{other}, recognised" if len(recognised) else f"{other}: no clip recognised"
        pictures.append((right, frames(str(recognised[0])) if len(recognised) else None))
    save_sheet(path, f"Most frequent confusions of {title}", pictures)
