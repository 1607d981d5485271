"""How sure an accuracy is, or a difference of accuracies: crossed random seeds and videos, a t interval.

The formulas and how well they do in simulations are in docs/experiment.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtr, stdtr, stdtrit

from multitrain.analysis.metrics import LEVEL
from multitrain.errors import UserError

DIGITS = 12  # to which sums of fractions are rounded, so that one that is 0 is 0


@dataclass(frozen=True)
class Estimate:
    """A contrast of accuracies, as a fraction, and what its error is."""

    value: float
    error: float  # standard error; infinite where one video and one seed say nothing of others
    df: float  # Satterthwaite's degrees of freedom of the error's square
    seeds: int
    videos: int  # of the dataset with the fewest
    telling: int  # videos that differ from the commonest answer of their dataset
    std: float | None  # between seeds; None of one seed

    @property
    def interval(self) -> tuple[float, float]:
        """The t interval at LEVEL."""
        half = float(stdtrit(self.df, (1 + LEVEL) / 2)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference; 1 where no answer differs from another."""
        return float(2 * stdtr(self.df, -abs(self.value) / self.error)) if self.error else 1.0

    def p_outside(self, margin: float) -> float:
        """Of two one-sided tests, the larger p: small where the contrast lies within -margin and margin."""
        return float(stdtr(self.df, (abs(self.value) - margin) / self.error)) if self.error else 1.0

    def power(self, truth: float, level: float) -> float:
        """Probability of a two-sided p below `level` and a value above 0, if `truth` were true."""
        if not 0 < self.error < np.inf:
            return 0.0
        return float(1 - nctdtr(self.df, truth / self.error, stdtrit(self.df, 1 - level / 2)))


def estimate(values: Sequence[np.ndarray], videos: Sequence[np.ndarray], points: float = 0.0) -> Estimate:
    """A sum over datasets of a mean over clips, plus `points`.

    `values` has one array (S, N) a dataset: for each of S seeds and N clips the contrast's value on that clip, for two
    methods right - wrong as -1, 0 or 1. `videos` (N,) a dataset names each clip's video: videos are what is drawn.
    Seeds are shared by all datasets, videos are not. With one seed the error is that of other videos alone.
    """
    if not values or not all(each.size for each in values):
        raise UserError("no clips: an accuracy needs at least one")
    seeds = len(values[0])
    by_seed = sum(each.mean(axis=1) for each in values) + points  # (S,)
    parts = [_by_video(each, of) for each, of in zip(values, videos, strict=True)]
    terms = [term for linear, _ in parts for term in _video_terms(linear)]  # of the error's square, each with its df
    if seeds > 1:
        terms.append((by_seed.var(ddof=1) / seeds, seeds - 1))
    error, df = _satterthwaite(terms)
    return Estimate(
        value=round(float(by_seed.mean()), DIGITS),
        error=error,
        df=df,
        seeds=seeds,
        videos=min(linear.shape[1] for linear, _ in parts),
        telling=sum(telling for _, telling in parts),
        std=float(by_seed.std(ddof=1)) if seeds > 1 else None,
    )


def _by_video(values: np.ndarray, videos: np.ndarray) -> tuple[np.ndarray, int]:
    """Values (S, N) as the ratio estimator's linear terms (S, V), of mean 0; and how many videos are telling.

    A mean over clips is a ratio of two sums over videos: that of the values and that of the clips.
    """
    _, codes, clips = np.unique(videos, return_inverse=True, return_counts=True)  # (N,), (V,)
    sums = np.stack([np.bincount(codes, weights=row) for row in values])  # (S, V)
    means = np.round(sums.sum(axis=0) / clips, DIGITS)  # over seeds, times S
    telling = len(clips) - int(np.unique(means, return_counts=True)[1].max())
    linear = (sums - values.mean(axis=1, keepdims=True) * clips) / clips.mean()
    return linear, telling


def _video_terms(linear: np.ndarray) -> list[tuple[float, int]]:
    """What the drawing of videos adds to the error's square, from linear terms (S, V); no more than the seeds' own
    term has where videos agree with each other less than chance.
    """
    seeds, videos = linear.shape
    if videos == 1:
        return [(np.inf, 1)]
    means = linear.mean(axis=0)
    between = (means**2).sum() / (videos - 1) / videos  # mean square of videos / (S V)
    if seeds == 1:
        return [(between, videos - 1)]
    df = (seeds - 1) * (videos - 1)
    # the interaction, which is in the seeds' term too, once
    rest = ((linear - means) ** 2).sum() / df / (seeds * videos)
    return [(between, videos - 1), (-rest, df)] if between > rest else []


def _satterthwaite(terms: list[tuple[float, int]]) -> tuple[float, float]:
    """The standard error and its degrees of freedom, from independent terms of its square with theirs."""
    variance = sum(term for term, _ in terms)
    if variance < 10.0 ** (-2 * DIGITS):
        return 0.0, 1.0
    if variance == np.inf:
        return np.inf, 1.0
    return float(np.sqrt(variance)), float(variance**2 / sum(term**2 / df for term, df in terms))
