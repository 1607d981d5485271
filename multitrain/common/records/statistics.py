"""Statistics of a run on the clips of one split (predictions/<dataset>.npz): moments, scales of logits, projections.

Arrays of the file, for C_k classes, D features, d dimensions of the embedding: views (); features_mean (D,) and
features_covariance (D, D); embedding_mean (d,) and embedding_covariance (d, d), where there is an expander;
logit_std.SOURCE (C_source,) and classes.SOURCE (C_source,) of every head; projection.SOURCE (C_k, C_source), where
there are projections into k.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.records.predictions import predictions_path

__all__ = [
    "REDUCED",
    "Statistics",
    "read_arrays",
    "read_statistics",
    "statistics_path",
    "write_arrays",
    "write_statistics",
]

REQUIRED = ("views", "features_mean", "features_covariance")
REDUCED = "reduced"  # in the statistics of a packed study: without moments, of which its runs have the eigenvalues
AGAIN = "evaluate the run again"
DAMAGED = (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error)


def statistics_path(run: Path, dataset: str) -> Path:
    """Where the statistics of a run and seed on the test split are: beside its predictions."""
    return predictions_path(run, dataset).with_suffix(".npz")


@dataclass(frozen=True)
class Statistics:
    """The statistics of one run on the views of clips of one dataset k."""

    views: int  # how many views of clips the moments are over
    features_mean: np.ndarray | None  # (D,), of z; None in a packed study, as all moments
    features_covariance: np.ndarray | None  # (D, D), unbiased
    embedding_mean: np.ndarray | None  # (d,), of z'; None where the run has no expander
    embedding_covariance: np.ndarray | None  # (d, d)
    logit_std: dict[str, np.ndarray]  # source -> (C_source,), of every head's logits on the clips of k
    projections: dict[str, np.ndarray]  # source -> (C_k, C_source), W of Eq. 4 into k
    classes: dict[str, tuple[str, ...]]  # source -> class names, of every head


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Write the arrays of an .npz file, without those that are None."""
    moments = ("features_mean", "features_covariance", "embedding_mean", "embedding_covariance")
    arrays = {"views": np.int64(statistics.views), **{name: getattr(statistics, name) for name in moments}}
    for name, deviations in statistics.logit_std.items():
        arrays |= {f"logit_std.{name}": deviations, f"classes.{name}": np.array(statistics.classes[name])}
    arrays |= {f"projection.{name}": weight for name, weight in statistics.projections.items()}
    write_arrays(path, {name: array for name, array in arrays.items() if array is not None})


def read_statistics(path: Path) -> Statistics:
    """Read one dataset's statistics (predictions/<dataset>.npz), or raise a UserError."""
    arrays = read_arrays(path)
    required = REQUIRED[:1] if REDUCED in arrays else REQUIRED
    if missing := [name for name in required if name not in arrays]:
        raise UserError(f"{path}: lacks {', '.join(missing)}: {AGAIN}")
    for name, array in arrays.items():
        if not name.startswith("classes.") and not (array.dtype.kind in "fiu" and np.isfinite(array).all()):
            raise UserError(f"{path}: {name} is not all finite numbers: {AGAIN}, or train it anew if it diverged")
    statistics = Statistics(
        views=int(arrays["views"]) if arrays["views"].ndim == 0 else 0,
        features_mean=arrays.get("features_mean"),
        features_covariance=arrays.get("features_covariance"),
        embedding_mean=arrays.get("embedding_mean"),
        embedding_covariance=arrays.get("embedding_covariance"),
        logit_std=_of(arrays, "logit_std"),
        projections=_of(arrays, "projection"),
        classes={name: tuple(map(str, names.ravel())) for name, names in _of(arrays, "classes").items()},
    )
    if wrong := _inconsistency(statistics, path.stem):
        raise UserError(f"{path}: {wrong}: {AGAIN}")
    return statistics


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes any key for `allow_pickle`


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, or a UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such statistics: run `multitrain evaluate` for this run and dataset first")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGED as error:
        raise UserError(f"{path}: not a readable statistics file ({' '.join(str(error).split())}): {AGAIN}") from None


def _of(arrays: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """The arrays `kind`.NAME by NAME."""
    return {name.removeprefix(f"{kind}."): array for name, array in arrays.items() if name.startswith(f"{kind}.")}


def _inconsistency(statistics: Statistics, dataset: str) -> str | None:
    """The first inconsistency of the shapes, or None."""
    if statistics.views < 1:
        return "views is not a count"
    if (statistics.embedding_mean is None) != (statistics.embedding_covariance is None):
        return "embedding_mean and embedding_covariance are there one without the other"
    for name in ("features", "embedding"):
        mean, covariance = getattr(statistics, f"{name}_mean"), getattr(statistics, f"{name}_covariance")
        if mean is not None and (mean.ndim != 1 or covariance.shape != 2 * mean.shape):
            return f"{name}_mean {mean.shape} and {name}_covariance {covariance.shape} do not fit together"
    sizes = {name: (len(names),) for name, names in statistics.classes.items()}
    if dataset not in sizes:
        return f"classes.{dataset} is missing"
    for name in sorted(set(sizes) | set(statistics.logit_std)):
        std = statistics.logit_std.get(name)
        if std is None or std.shape != sizes.get(name) or (std < 0).any():
            return f"logit_std.{name} has no standard deviation for each of classes.{name}"
        if len(set(statistics.classes[name])) < len(statistics.classes[name]):
            return f"classes.{name} has a name twice"
    for name, weight in statistics.projections.items():
        if weight.shape != sizes[dataset] + sizes.get(name, ()) or name == dataset:
            return f"projection.{name} is not a weight for each class of {dataset} and each of {name}"
    return None
