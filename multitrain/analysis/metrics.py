"""Accuracy and how sure it is, from scores and labels alone."""

import numpy as np

from multitrain.errors import UserError
from multitrain.seeding import generator

RESAMPLES = 2000
LEVEL = 0.95


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rank of each clip's own class among its scores (N, K), 0 for the best; returns (N,).

    A tie counts against the clip: equal scores rank before the own class, so that a model that says the same for
    everything is not right.
    """
    if not np.isfinite(scores).all():
        raise UserError(f"{int((~np.isfinite(scores)).any(axis=1).sum())} clips have scores that are not finite")
    own = np.take_along_axis(scores, labels[:, None].astype(np.int64), axis=1)  # (N, 1)
    return (scores >= own).sum(axis=1) - 1


def top(k: int, rank: np.ndarray) -> np.ndarray:
    """Whether the own class is among the best k, as 0 and 1; `rank` of any shape."""
    return (rank < k).astype(np.float64)


def bootstrap_interval(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile bootstrap interval, at LEVEL, of the mean of one value a clip.

    Values are few and often equal (right or wrong, averaged over seeds). A resample of N clips is then a draw of how
    often each distinct value occurs, which is the same distribution as drawing clips and needs no N x resamples table.
    """
    if not len(values):
        raise UserError("no clips: an accuracy needs at least one")
    distinct, counts = np.unique(values, return_counts=True)
    drawn = generator(seed, "bootstrap").multinomial(len(values), counts / len(values), size=resamples)
    means = drawn @ distinct / len(values)  # (resamples,)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
