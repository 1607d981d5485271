"""A packed study as a results folder: the layout of run folders, with what analyses read and nothing else.

All analyses, figures and pages then read it as they read any results folder, and follow every change of theirs by
themselves; the readers of predictions, statistics and features take what is kept in place of scores, moments and
features.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from multitrain.analysis.accuracy.embedding_spectrum import EIGENVALUES
from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.analysis.projections.class_map import FORMAT
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.common.progress import progress
from multitrain.common.records.history import NAME as HISTORY
from multitrain.common.records.history import write_columns as write_history_columns
from multitrain.common.records.predictions import predictions_path, write_columns
from multitrain.common.records.renamed_keys import current_claims
from multitrain.common.records.statistics import REDUCED, statistics_path, write_arrays
from multitrain.config.scale import Scale

__all__ = ["unpack"]

Classes = Callable[[str], list[str]]  # names of a dataset, in the world of a run
CLAIMS = "config/claims.yaml"
MARK = "packed.json"  # in the folder of the runs: they are unpacked, and may be replaced


def unpack(study: Study, out: Path, scale: Scale) -> None:
    """Write <out>/runs/<scale>, <out>/config, <out>/data (related classes) and the accounts of the datasets.

    Raises:
        UserError: there are runs in `out` that were not unpacked, which are left as they are.
    """
    runs = out / "runs" / study.scale
    if runs.exists() and not (runs / MARK).is_file():
        raise UserError(f"{runs}: there are trained runs already: name another folder for what is rendered")
    shutil.rmtree(runs, ignore_errors=True)
    write_json(runs / MARK, {"study": str(study.where), "seeds": study.seeds()}, indent=None)
    for key, text in study.texts.items():
        if path := _place(key, out, scale):
            _text(path, _with_present_keys(text) if key.name == CLAIMS else text)
    records = study.records()
    with progress("unpacking", "run", len(records)) as bar:
        for run, seed in records:
            classes = partial(_classes, study, scale.in_world("classes", scale.world_of(seed)))
            _unpack_run(study, run, seed, runs / run / f"seed{seed}", classes)
            bar.update()


def _place(key: Key, out: Path, scale: Scale) -> Path | None:
    """Where a text goes; None for one that goes into others."""
    if key.run:
        return out / "runs" / scale.name / key.run / f"seed{key.seed}" / key.name
    if key.name == "flops.json":
        return out / "runs" / scale.name / key.name
    *world, name = key.name.split("/")  # world1/relations.csv, of several worlds
    if name == "relations.csv":
        return out.joinpath("data", scale.clips_scale, *world, key.dataset, "raw", name)
    return None if name == "classes" else out / key.name


def _text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _with_present_keys(text: str) -> str:
    """claims.yaml with former keys renamed; without any it stays as it is."""
    try:
        claims = yaml.safe_load(text)
    except yaml.YAMLError:  # `load_claims` reports it
        return text
    current = current_claims(claims) if isinstance(claims, Mapping) else claims
    return text if current == claims else yaml.safe_dump(current, sort_keys=False, allow_unicode=True)


def _unpack_run(study: Study, run: str, seed: int, folder: Path, classes: Classes) -> None:
    """The records of one run and seed."""
    its = {key: array for key, array in study.arrays.items() if (key.run, key.seed) == (run, seed)}
    columns = {
        key.name.removeprefix("history."): array for key, array in its.items() if key.name.startswith("history.")
    }
    if columns:
        write_history_columns(folder / HISTORY, columns)
    spaces = {key.name: array for key, array in its.items() if key.name.startswith(("eigenvalues.", "views."))}
    if spaces:
        write_arrays(folder / EIGENVALUES, spaces)
    for dataset in sorted({key.dataset for key in its if key.dataset}):
        arrays = {key.name: array for key, array in its.items() if key.dataset == dataset}
        _unpack_arrays(arrays, dataset, folder, classes)
    for key, table in study.answers.items():
        if (key.run, key.seed) == (run, seed):
            names = {"clip": "clip_id", "video": "video_id"}
            renamed = table.rename_columns([names.get(name, name) for name in table.column_names])
            write_columns(predictions_path(folder, key.dataset), renamed, classes(key.dataset))


def _unpack_arrays(arrays: dict[str, np.ndarray], dataset: str, folder: Path, of: Classes) -> None:
    """Statistics and class means of one dataset."""
    means = {name: array for name, array in arrays.items() if name.startswith("class_mean.")}
    rest = {name: array for name, array in arrays.items() if name not in means}
    if rest:
        heads = [name.removeprefix("logit_std.") for name in rest if name.startswith("logit_std.")]
        classes = {f"classes.{name}": np.array(of(name)) for name in heads}
        write_arrays(statistics_path(folder, dataset), {**rest, **classes, REDUCED: np.array(1)})
    if means:
        labels = means["class_mean.label"]
        columns = {"label": labels, "class": [of(dataset)[label] for label in labels]}
        columns |= {"clips": means["class_mean.clips"], "z": list(means["class_mean.z"])}
        table = pa.table(columns).replace_schema_metadata(
            {"multitrain": json.dumps({"format": FORMAT, "dataset": dataset})}
        )
        with atomic(folder / "features" / f"{dataset}.parquet") as temporary:
            pq.write_table(table, temporary)


def _classes(study: Study, name: str, dataset: str) -> list[str]:
    return json.loads(study.texts.get(Key(dataset=dataset, name=name), "[]"))
