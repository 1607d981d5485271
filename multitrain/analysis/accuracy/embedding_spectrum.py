"""Eigenvalue spectrum and effective rank of embeddings: a collapsed one varies along few directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from multitrain.analysis.render.columns import SPECTRUM
from multitrain.analysis.render.table_files import Rows, write_rows
from multitrain.analysis.study.run_names import method_names, seeds_of, yes_no
from multitrain.common.errors import UserError
from multitrain.common.records.run_record import read_record
from multitrain.common.records.statistics import Statistics, read_arrays, read_statistics, statistics_path
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["EIGENVALUES", "SPACES", "pooled", "spectra", "spectrum", "write_spectrum"]

EIGENVALUES = "eigenvalues.npz"  # in the folder of a packed run
# By the paper's symbols: the backbone's feature, the expander's output.
SPACES: dict[str, Literal["features", "embedding"]] = {"z": "features", "z'": "embedding"}


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a covariance (D, D), largest first."""

    eigenvalues: np.ndarray  # (D,)

    @property
    def shares(self) -> np.ndarray:
        """Shares (D,) of the trace; zeros where nothing varies."""
        total = self.eigenvalues.sum()
        return self.eigenvalues / total if total > 0 else self.eigenvalues

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the shares: D for an isotropic covariance, 1 for a line, 0 where nothing varies."""
        shares = self.shares[self.shares > 0]
        return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0

    @property
    def participation_ratio(self) -> float:
        """1 / sum of squared shares: the same ends as the effective rank, less weight on the small ones."""
        squares = (self.shares**2).sum()
        return float(1 / squares) if squares > 0 else 0.0


def spectrum(covariance: np.ndarray) -> Spectrum:
    """The spectrum of a covariance (D, D); what rounding made negative is 0."""
    return Spectrum(np.linalg.eigvalsh(covariance)[::-1].clip(0))


def write_spectrum(
    scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path, runs: tuple[str, ...]
) -> None:
    """Write <results>/spectrum.csv: one row a run, seed, space and eigenvalue.

    The covariance is over every view of the test clips of all the run's datasets together; `z'` is there for runs with
    an expander. `views` bounds the number of eigenvalues above 0, as the dimensions do.
    """
    names = method_names(experiments, scale)
    if unknown := [run for run in runs if run not in names]:
        raise UserError(f"no table shows the run {unknown[0]!r}; runs of tables are {', '.join(names)}")
    rows = []
    for run in runs:
        for seed in seeds_of(results / "runs" / scale.name, run, seeds):
            about = {"run": run, "method": names[run], "seed": seed, "scale": scale.name}
            folder = results / "runs" / scale.name / run / f"seed{seed}"
            rows += [{**about, **row} for row in _run_rows(folder, experiments, run)]
    write_rows(results / "spectrum.csv", rows, SPECTRUM)


def spectra(folder: Path, datasets: tuple[str, ...]) -> dict[str, tuple[int, Spectrum]]:
    """Views and spectrum of each space of one run and seed, over every view of the test clips of its datasets together.

    A run of a packed study has the eigenvalues in EIGENVALUES; of any other they are those of the pooled moments.
    """
    if (path := folder / EIGENVALUES).is_file():
        return _eigenvalues(path)
    statistics = [read_statistics(statistics_path(folder, dataset)) for dataset in datasets]
    found = {}
    for space, of in SPACES.items():
        if all(getattr(each, f"{of}_covariance") is not None for each in statistics):
            views, _, covariance = pooled(statistics, of)
            found[space] = views, spectrum(covariance)
    return found


def pooled(
    statistics: Sequence[Statistics], of: Literal["features", "embedding"]
) -> tuple[int, np.ndarray, np.ndarray]:
    """Count, mean (D,) and unbiased covariance (D, D) of the views of several datasets together.

    Exactly the moments of all their rows in one table, by the law of total covariance: the spread within datasets plus
    that of their means.
    """
    if not statistics:
        raise UserError("no statistics to pool: a run needs at least one dataset")
    means = [getattr(each, f"{of}_mean") for each in statistics]
    covariances = [getattr(each, f"{of}_covariance") for each in statistics]
    if any(mean is None for mean in means):
        raise UserError(f"no {of} in some of the statistics: the run has no expander, or its study was packed")
    if len({mean.shape for mean in means}) > 1:
        raise UserError(f"{of} of {sorted({len(mean) for mean in means})} dimensions: not of one run")
    counts = np.array([each.views for each in statistics])
    total = int(counts.sum())
    mean = counts @ np.stack(means) / total  # (D,)
    spread = np.zeros((len(mean), len(mean)))
    for count, its_mean, covariance in zip(counts, means, covariances, strict=True):
        spread += (count - 1) * covariance + count * np.outer(its_mean - mean, its_mean - mean)
    return total, mean, spread / max(total - 1, 1)


def _eigenvalues(path: Path) -> dict[str, tuple[int, Spectrum]]:
    """Views and spectrum of each space from a packed run's file, or a UserError."""
    arrays = read_arrays(path)
    try:
        return {
            space: (int(arrays[f"views.{of}"]), Spectrum(arrays[f"eigenvalues.{of}"]))
            for space, of in SPACES.items()
            if f"views.{of}" in arrays
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not the eigenvalues of a run ({error}): render the packed study again") from None


def _run_rows(folder: Path, experiments: Experiments, run: str) -> Rows:
    """Rows of one run and seed, without the columns that name the run."""
    synthetic = yes_no(read_record(folder)["synthetic"])
    rows = []
    for space, (views, found) in spectra(folder, experiments.run(run).datasets).items():
        summary = {
            "space": space,
            "effective_rank": found.effective_rank,
            "participation_ratio": found.participation_ratio,
            "dimensions": len(found.eigenvalues),
            "views": views,
            "synthetic": synthetic,
        }
        rows += [
            {**summary, "index": index, "eigenvalue": value, "share": share}
            for index, (value, share) in enumerate(zip(found.eigenvalues, found.shares, strict=True), start=1)
        ]
    return rows
