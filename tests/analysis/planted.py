"""Statistics of made-up runs whose projections are chosen."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from multitrain.analysis.projections.projection_weights import write_projections

CLASSES = {
    "k400": ("clapping", "jogging", "hula hooping", "situp"),
    "k700": ("slow clapping", "jogging", "hula hooping"),
    "mit": ("clapping", "running", "waving"),
    "ssv2": ("Picking something up", "Closing something"),
    "actnet": ("Cheering", "Hula hoop", "Running a marathon", "Doing crunches", "Tumbling"),
}
RELATIONS = (  # both directions are written
    ("k400", "clapping", "mit", "clapping"),
    ("k400", "jogging", "mit", "running"),
    ("k400", "hula hooping", "actnet", "Hula hoop"),
    ("mit", "running", "actnet", "Running a marathon"),
)

Matrix = Callable[[str, str], np.ndarray]  # source, target -> (C_target, C_source)


def ramp(source: str, target: str) -> np.ndarray:
    """A different number for every class pair: 100 target class + source class."""
    return 100.0 * np.arange(len(CLASSES[target]))[:, None] + np.arange(len(CLASSES[source]))


def plant(results, run: str, weight: Matrix = ramp, std: Mapping[str, float] | None = None, seed: int = 0) -> Path:
    """Statistics of one run at the scale of `results`; `std`: each source's logits on clips of other datasets."""
    folder = results.folder / run / f"seed{seed}"
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    record = {"run": run, "scale": results.scale.name, "seed": seed, "synthetic": True, "code": "abc"}
    (folder / "run.json").write_text(json.dumps(record))
    datasets = results.experiments.run(run).datasets
    for target in datasets:
        arrays = {"views": np.int64(9), "features_mean": np.zeros(2), "features_covariance": np.eye(2)}
        for source in datasets:
            arrays[f"classes.{source}"] = np.array(CLASSES[source])
            arrays[f"logit_std.{source}"] = np.full(len(CLASSES[source]), (std or {}).get(source, 1.0))
            if source != target:
                arrays[f"projection.{source}"] = weight(source, target).astype(np.float32)
        np.savez(folder / "predictions" / f"{target}.npz", **arrays)
    return folder


def relation_files(folder: Path) -> tuple[Path, ...]:
    """A relations.csv for each dataset."""
    rows = [(*row, "same motion") for row in RELATIONS] + [(*row[2:], *row[:2], "same motion") for row in RELATIONS]
    paths = []
    for dataset in CLASSES:
        path = folder / f"{dataset}.csv"
        lines = [",".join(row) for row in rows if row[0] == dataset]
        path.write_text("\n".join(["source_dataset,source_class,target_dataset,target_class,relation", *lines, ""]))
        paths.append(path)
    return tuple(paths)


def write(results, *runs: str, seeds: tuple[int, ...] = (0,), relations: tuple[Path, ...] = ()) -> None:
    """projections.parquet of planted runs."""
    write_projections(results.scale, results.experiments, seeds, results.root, runs, lambda _: relations)
