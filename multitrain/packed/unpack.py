"""A packed study as a results folder: the layout of run folders, with what analyses read and nothing else.

All analyses, figures and pages then read it as they read any results folder, and follow every change of theirs by
themselves; the readers of predictions, statistics and features take what is kept in place of scores, moments and
features.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.class_map import FORMAT
from multitrain.analysis.spectrum import EIGENVALUES
from multitrain.analysis.statistics import REDUCED
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.packed.study import Key, Study
from multitrain.progress import progress

Classes = Callable[[str], list[str]]  # names of a dataset, in the world of a run
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
    _text(runs / MARK, json.dumps({"study": str(study.where), "seeds": study.seeds()}) + "\n")
    for key, text in study.texts.items():
        if path := _place(key, out, study.scale):
            _text(path, text)
    records = study.records()
    with progress("unpacking", "run", len(records)) as bar:
        for run, seed in records:
            classes = partial(_classes, study, scale.in_world("classes", scale.world_of(seed)))
            _unpack_run(study, run, seed, runs / run / f"seed{seed}", classes)
            bar.update()


def _place(key: Key, out: Path, scale: str) -> Path | None:
    """Where a text goes; None for one that goes into others."""
    if key.run:
        return out / "runs" / scale / key.run / f"seed{key.seed}" / key.name
    if key.name == "flops.json":
        return out / "runs" / scale / key.name
    *world, name = key.name.split("/")  # world1/relations.csv, of several worlds
    if name == "relations.csv":
        return out.joinpath("data", scale, *world, key.dataset, "raw", name)
    return None if name == "classes" else out / key.name


def _text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _unpack_run(study: Study, run: str, seed: int, folder: Path, classes: Classes) -> None:
    """The records of one run and seed."""
    its = {key: array for key, array in study.arrays.items() if (key.run, key.seed) == (run, seed)}
    columns = {
        key.name.removeprefix("history."): array for key, array in its.items() if key.name.startswith("history.")
    }
    if columns:
        _text(folder / "history.jsonl", "".join(f"{json.dumps(line)}\n" for line in _lines(columns)))
    spaces = {key.name: array for key, array in its.items() if key.name.startswith(("eigenvalues.", "views."))}
    if spaces:
        _arrays(folder / EIGENVALUES, spaces)
    for dataset in sorted({key.dataset for key in its if key.dataset}):
        arrays = {key.name: array for key, array in its.items() if key.dataset == dataset}
        _unpack_arrays(arrays, dataset, folder, classes)
    for key, table in study.answers.items():
        if (key.run, key.seed) == (run, seed):
            names = {"clip": "clip_id", "video": "video_id"}
            renamed = table.rename_columns([names.get(name, name) for name in table.column_names])
            its_classes = json.dumps(classes(key.dataset))
            _table(folder / "predictions" / f"{key.dataset}.parquet", renamed, classes=its_classes)


def _unpack_arrays(arrays: dict[str, np.ndarray], dataset: str, folder: Path, of: Classes) -> None:
    """Statistics and class means of one dataset."""
    means = {name: array for name, array in arrays.items() if name.startswith("class_mean.")}
    rest = {name: array for name, array in arrays.items() if name not in means}
    if rest:
        heads = [name.removeprefix("logit_std.") for name in rest if name.startswith("logit_std.")]
        classes = {f"classes.{name}": np.array(of(name)) for name in heads}
        _arrays(folder / "predictions" / f"{dataset}.npz", {**rest, **classes, REDUCED: np.array(1)})
    if means:
        labels = means["class_mean.label"]
        columns = {"label": labels, "class": [of(dataset)[label] for label in labels]}
        columns |= {"clips": means["class_mean.clips"], "z": list(means["class_mean.z"])}
        said = json.dumps({"format": FORMAT, "dataset": dataset})
        _table(folder / "features" / f"{dataset}.parquet", pa.table(columns), multitrain=said)


def _classes(study: Study, name: str, dataset: str) -> list[str]:
    return json.loads(study.texts.get(Key(dataset=dataset, name=name), "[]"))


def _arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def _table(path: Path, table: pa.Table, **metadata: str) -> None:
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def _lines(columns: dict[str, np.ndarray]) -> Iterator[dict]:
    """The lines of a history again, nested as they were."""
    lists = {name: array.tolist() for name, array in columns.items()}
    for index in range(len(next(iter(lists.values())))):
        line: dict = {}
        for name, values in lists.items():
            outer, _, inner = name.partition(".")
            if inner:
                line.setdefault(outer, {})[inner] = values[index]
            else:
                line[outer] = values[index]
        yield line
