"""How sure an accuracy is, from one value a clip."""

from collections.abc import Sequence

import numpy as np

from multitrain.errors import UserError
from multitrain.seeding import generator

RESAMPLES = 2000
LEVEL = 0.95
SMOKE_TEST = "smoke test: no number here means anything"  # of a scale whose setting `smoke_test` is true
CELLS = 4_000_000  # numbers of one chunk of resamples: 32 MB


def bootstrap_interval(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile bootstrap interval, at LEVEL, of the mean of one value a clip.

    Values are few and often equal (right or wrong, averaged over seeds). A resample of N clips is then a draw of how
    often each distinct value occurs, which is the same distribution as drawing clips and needs no N x resamples table.
    """
    if not len(values):
        raise UserError("no clips: an accuracy needs at least one")
    means = _resampled(values[None], generator(seed, "bootstrap"), resamples)[:, 0]
    return _percentiles(means)


def paired_interval(
    differences: Sequence[np.ndarray], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap interval, at LEVEL, of a contrast of accuracies: the sum over datasets of a mean.

    `differences` has one array (S, N) a dataset: for each of S seeds and N clips the contrast's value on that clip, for
    two methods right - wrong as -1, 0 or 1. Clips are drawn jointly for all methods and seeds, but for each dataset on
    its own; several seeds are drawn as well, jointly for all methods and datasets. With one seed the interval is about
    clips alone.
    """
    if not differences or not all(values.size for values in differences):
        raise UserError("no clips: a difference of accuracies needs at least one")
    draws = generator(seed, "paired")
    seeds = len(differences[0])
    weights = draws.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds  # (resamples, S)
    contrast = sum((weights * _resampled(values, draws, resamples)).sum(axis=1) for values in differences)
    return _percentiles(contrast)


def _resampled(values: np.ndarray, draws: np.random.Generator, resamples: int) -> np.ndarray:
    """Means over resampled clips of values (S, N), the same clips for each of the S rows; returns (resamples, S)."""
    clips = values.shape[1]
    patterns, counts = np.unique(values, axis=1, return_counts=True)  # (S, U), (U,)
    step = max(1, CELLS // len(counts))
    chunks = [
        draws.multinomial(clips, counts / clips, size=min(step, resamples - start)) @ patterns.T / clips
        for start in range(0, resamples, step)
    ]
    return np.concatenate(chunks)


def _percentiles(means: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
