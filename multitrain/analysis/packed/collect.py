"""Run folders as a packed study: what analyses read of them, without weights, scores, moments and features."""

import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.embedding_spectrum import SPACES, spectra
from multitrain.analysis.packed.packed_answers import answers
from multitrain.analysis.packed.packed_study import OWN_FILE, Key, Study
from multitrain.analysis.projections.class_map import class_means
from multitrain.common.errors import UserError
from multitrain.common.progress import progress
from multitrain.common.records.history import NAME as HISTORY
from multitrain.common.records.history import read_columns
from multitrain.common.records.predictions import predictions_path
from multitrain.common.records.run_record import NAME as RECORD
from multitrain.common.records.run_record import has_record, read_record
from multitrain.common.records.statistics import read_arrays, read_statistics, statistics_path
from multitrain.config.config_files import study_of
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.model.backbones.declarations import TORCHVISION

__all__ = ["collect"]

DOCUMENTS = ("datasets.csv", "datasets.md", "leakage.csv")  # of the data, made from files that a study leaves at home
SURVEYS = ("classes.csv", "durations.csv", "missing.csv")


def collect(
    results: Path,
    scale: Scale,
    experiments: Experiments,
    seeds: tuple[int, ...] | None,
    data: Path,
    config: Path,
    scale_file: Path,
) -> Study:
    """What there is of the runs of the tables with these seeds, or with any; a UserError for a file that is damaged.

    Missing files are left out: `packed_checks` says which. `data` is read for the related classes of a
    synthetic world alone, `config` for the settings' files, which are kept as they are, as is the scale's own; it may
    be the file of a study.
    """
    home = results / "runs" / scale.name
    study = Study(home, scale.name)
    there = [
        (run, int(folder.name.removeprefix("seed")))
        for run in experiments.shown_runs()
        for folder in sorted((home / run).glob("seed*"))
        if folder.name.removeprefix("seed").isdecimal() and has_record(folder)
    ]
    wanted = [(run, seed) for run, seed in there if seeds is None or seed in seeds]
    _collect_runs(study, wanted, experiments, scale)
    _add_texts(study, [(Key(name="flops.json"), home / "flops.json")])
    _add_texts(study, ((Key(name=name), results / name) for name in DOCUMENTS))
    surveys = [f"datasets/{scale.name}/{dataset}/{name}" for dataset in scale.datasets for name in SURVEYS]
    _add_texts(study, ((Key(name=name), results / name) for name in surveys))
    for world, name in product(scale.worlds(study.seeds()), scale.related_datasets()):
        key = Key(dataset=name, name=scale.in_world("relations.csv", world))
        _add_texts(study, [(key, scale.raw_folder(name, data, world) / "relations.csv")])
    _add_settings(study, config, scale_file)
    return study


def _add_settings(study: Study, config: Path, scale_file: Path) -> None:
    """Take up the files of all settings; of a study in one file that file, and a folder of settings that says the same.

    Whoever renders the study needs neither its base nor the folder in which it was written.
    """
    if own := study_of(config):
        study.texts |= {Key(name=f"config/{path}"): text for path, text in own.as_folder().items()}
        _add_texts(study, [(Key(name=f"{OWN_FILE}{own.path.name}"), own.path)])
        return
    settings = [path for path in sorted(config.glob("*.yaml")) if path.name != "config.yaml"]
    _add_texts(study, ((Key(name=f"config/{path.name}"), path) for path in settings))
    _add_texts(study, [(Key(name=f"config/scales/{study.scale}.yaml"), scale_file)])


def _collect_runs(study: Study, runs: list[tuple[str, int]], experiments: Experiments, scale: Scale) -> None:
    """Take up what is left of these runs and seeds."""
    if not runs:
        return
    with progress("packing", "run", len(runs)) as bar:
        for run, seed in runs:
            _collect_run(study, study.where / run / f"seed{seed}", run, seed, experiments, scale)
            bar.update()


def _add_texts(study: Study, files: Iterable[tuple[Key, Path]]) -> None:
    """Take up the files that are there."""
    for key, path in files:
        try:
            if path.is_file():
                study.texts[key] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{path}: not UTF-8 text: make the file again") from None


def _collect_run(study: Study, folder: Path, run: str, seed: int, experiments: Experiments, scale: Scale) -> None:
    """Take up what one run and seed left in its folder."""
    settings = experiments.run(run)
    read_record(folder)
    _add_texts(study, [(Key(run, seed, name=RECORD), folder / RECORD)])
    _collect_network(study, folder, run, seed, scale.backbone_of(settings.backbone).backbone, scale)
    if (path := folder / HISTORY).is_file():
        study.arrays |= {Key(run, seed, name=f"history.{name}"): its for name, its in read_columns(path).items()}
    statistics = {name: statistics_path(folder, name) for name in settings.datasets}
    for dataset in settings.datasets:
        if (path := predictions_path(folder, dataset)).is_file():
            study.answers[Key(run, seed, dataset)], classes = answers(path)
            name = scale.in_world("classes", scale.world_of(seed))
            _same_classes(study, Key(dataset=dataset, name=name), classes, path)
        if (path := folder / "features" / f"{dataset}.parquet").is_file():
            rows = class_means(path, dataset)
            for name in ("label", "clips", "z"):
                study.arrays[Key(run, seed, dataset, f"class_mean.{name}")] = np.array([row[name] for row in rows])
    if len(settings.datasets) > 1:
        _collect_statistics(study, folder, run, seed, statistics)


def _collect_network(study: Study, folder: Path, run: str, seed: int, backbone: str, scale: Scale) -> None:
    """Take up the cost of a network whose backbone is a function of the user: who renders may not have its module."""
    module, colon, _ = backbone.partition(":")
    if colon and module != TORCHVISION:
        from multitrain.analysis.cost import run_networks  # imports torch

        rows = run_networks.network_rows(scale, folder, run)
        study.texts[Key(run, seed, name=run_networks.RECORDED)] = json.dumps(rows)


def _collect_statistics(study: Study, folder: Path, run: str, seed: int, statistics: dict[str, Path]) -> None:
    """Take up projections and scales of logits by dataset, and the eigenvalues over all datasets."""
    there = {dataset: path for dataset, path in statistics.items() if path.is_file()}
    for dataset, path in there.items():
        read_statistics(path)
        for name, its in read_arrays(path).items():
            if name == "views" or name.startswith(("projection.", "logit_std.")):
                study.arrays[Key(run, seed, dataset, name)] = its
    for space, (views, found) in (spectra(folder, tuple(there)) if there == statistics else {}).items():
        study.arrays[Key(run, seed, name=f"views.{SPACES[space]}")] = np.array(views)
        study.arrays[Key(run, seed, name=f"eigenvalues.{SPACES[space]}")] = found.eigenvalues


def _same_classes(study: Study, key: Key, classes: tuple[str, ...], path: Path) -> None:
    """Keep the class names of a dataset, once, or raise a UserError where they are not those of the runs before."""
    text = study.texts.setdefault(key, json.dumps(classes, ensure_ascii=False))
    if not classes or tuple(json.loads(text)) != classes:
        raise UserError(f"{path}: its classes of {key.dataset} are not those of the other runs: evaluate the run again")
