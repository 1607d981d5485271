"""Confusions and calibration of the study's main joint run, which the workflow writes into <results>/errors.

The main run is the first table's joint one; the first seed stands for all: seeds answer the same test clips, so that
pooled they would count each video several times.
"""

from pathlib import Path

import pandas as pd

from multitrain.analysis.figures import save_figure
from multitrain.analysis.single_run.confusion import read_predicted
from multitrain.analysis.single_run.confusion_matrix import draw_confusions
from multitrain.analysis.single_run.error_report import RunPredictions, write_calibration
from multitrain.analysis.study.run_names import method_names, seeds_of
from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import write_frame
from multitrain.common.records.predictions import predictions_path
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_main_confusion", "write_main_reliability"]

FOLDER = "errors"


def write_main_confusion(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/errors/confusion.csv, a row a true class and answer, and confusion.png, a panel a dataset."""
    run = _main_run(scale, experiments, seeds, results)
    heads = {dataset: read_predicted(path) for dataset, path in run.predictions.items()}
    rows = []
    for dataset, predicted in heads.items():
        for label, counts in enumerate(predicted.matrix()):
            about = {
                "dataset": dataset,
                "class": predicted.classes[label],
                "of": int(counts.sum()),
                "scale": scale.name,
            }
            rows += [
                {**about, "answered": predicted.classes[other], "clips": int(count)}
                for other, count in enumerate(counts)
                if count
            ]
    columns = ["dataset", "class", "answered", "clips", "of", "scale"]
    write_frame(results / FOLDER / "confusion.csv", pd.DataFrame(rows, columns=columns))
    titled = {scale.dataset(dataset).title: predicted for dataset, predicted in heads.items()}
    title = f"What {run.method}, seed {run.seed}, took each class's test clips for, by Y_k ({run.where})"
    save_figure(draw_confusions(titled, title), results / FOLDER / "confusion.png", scale.smoke_test)


def write_main_reliability(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/errors/reliability.csv and .png: accuracy by the probability of the answer, of every head.

    Raises:
        UserError: predictions without probabilities, such as those of a packed study.
    """
    for _ in write_calibration(_main_run(scale, experiments, seeds, results), results / FOLDER, "reliability"):
        pass  # the lines are for the terminal


def _main_run(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> RunPredictions:
    if (run := experiments.mapped_run()) is None:
        raise UserError("the first table has no row of one run on several datasets")
    home = results / "runs" / scale.name
    seed = seeds_of(home, run, seeds)[0]
    folder = home / run / f"seed{seed}"
    predictions = {name: predictions_path(folder, name) for name in experiments.run(run).datasets}
    return RunPredictions(scale, method_names(experiments, scale)[run], seed, "test", predictions)
