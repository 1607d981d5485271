"""Confidence intervals and p values of accuracies and paired differences: crossed random seeds and videos.

The formulas and their coverage in simulations are in docs/reference/experiment.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, ndtr, stdtrit

from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.common.errors import UserError

__all__ = ["Estimate", "World", "by_video", "estimate", "estimate_over_worlds"]

DIGITS = 12  # sums of fractions are rounded to these: a sum that should be 0 is exactly 0
SMALLEST = 1e-100  # lower limit of p values
NODES = 200  # of the numerical integral over the sampling distribution of the seeds' variance

World = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]  # values (S, N) and videos (N,) of each dataset


@dataclass(frozen=True)
class Estimate:
    """A contrast of accuracies, as a fraction, with its variance components."""

    value: float
    terms: tuple[tuple[float, int], ...]  # variance components and their degrees of freedom; that of seeds first
    seeds: int
    videos: int  # of the dataset with the fewest
    differing: int  # videos whose mean value is not the most common one of their dataset
    std: float | None  # between seeds; None for one seed
    by_world: tuple[float, ...] = ()  # the contrast in each, where there are several

    @property
    def worlds_agree(self) -> bool:
        """Whether the contrast has one sign in every world."""
        return not self.by_world or min(self.by_world) * max(self.by_world) > 0

    @cached_property
    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        terms = np.array([each for each in self.terms if each[0]])
        return terms[:, 0], terms[:, 1]

    @cached_property
    def error(self) -> float:
        """The standard error; infinite with a single video."""
        return float(np.sqrt(sum(term for term, _ in self.terms)))

    @property
    def seeds_error(self) -> float:
        """The part of the standard error that more videos would not remove."""
        return float(np.sqrt(self.terms[0][0])) if self.seeds > 1 else 0.0

    def limit(self, tail: float) -> float:
        """The quantile in standard errors with probability `tail` above it; each variance component has its own t."""
        terms, df = self._columns
        return float(np.sqrt(terms @ stdtrit(df, tail) ** 2)) / self.error

    def tail(self, errors: float) -> float:
        """Probability above `errors` standard errors: the inverse of `limit`."""
        if errors < 0:
            return 1 - self.tail(-errors)
        if errors > self.limit(SMALLEST):
            return SMALLEST
        return float(np.exp(brentq(lambda log: self.limit(np.exp(log)) - errors, np.log(SMALLEST), np.log(0.5))))

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval at LEVEL."""
        if not 0 < self.error < np.inf:
            return self.value - self.error, self.value + self.error
        half = self.limit((1 - LEVEL) / 2) * self.error
        return self.value - half, self.value + half

    @property
    def interval_of_accuracy(self) -> tuple[float, float]:
        """Confidence interval of an accuracy, within 0 and 1.

        Where no video differs from another, as at 0 or 100%, there is no spread to estimate. The interval is then
        Clopper and Pearson's exact one for as many equal answers as videos, which is conservative.
        """
        if self.error:
            low, high = self.interval
            return max(low, 0.0), min(high, 1.0)
        others = 1 - ((1 - LEVEL) / 2) ** (1 / self.videos)  # upper limit of the share of videos with another answer
        return self.value * (1 - others), self.value * (1 - others) + others

    @property
    def p_value(self) -> float:
        """Two-sided p value of no difference; 1 where no answer differs from another."""
        return 2 * self.tail(abs(self.value) / self.error) if 0 < self.error < np.inf else 1.0

    def p_outside(self, margin: float) -> float:
        """Equivalence test: the larger p of two one-sided tests; small if the contrast is within -margin and margin."""
        return self.tail((margin - abs(self.value)) / self.error) if 0 < self.error < np.inf else 1.0

    def power(self, truth: float, level: float) -> float:
        """Power: probability of a two-sided p below `level` and a value above 0 if the true difference is `truth`.

        It is the power of a new study with as many seeds and videos; its variance between seeds is drawn anew.
        """
        if not self._has_spread:
            return 0.0
        return float(ndtr((truth - self._half_widths(level / 2)) / self.error).mean())

    def decisiveness(self, level: float, margin: float | None = None, level_inside: float = 0.0) -> float:
        """Probability of a verdict in a new study like this one if its value is the true difference.

        Args:
            level: of the two-sided test against 0
            margin: of the equivalence test, at `level_inside`; None: there is none
        """
        if not self._has_spread:
            return 0.0
        outer = self._half_widths(level / 2)  # a value beyond it is a difference
        inner = np.zeros(NODES) if margin is None else np.clip(margin - self._half_widths(level_inside), 0, None)
        beyond = 1 - self._between(outer)
        return float(np.where(inner >= outer, 1.0, beyond + self._between(inner)).mean())

    def with_seeds(self, seeds: int) -> "Estimate":
        """The estimate to expect with so many seeds in the same worlds, on the same videos."""
        (between, _), *videos = self.terms
        return replace(self, terms=((between * self.seeds / seeds, seeds - 1), *videos), seeds=seeds)

    @property
    def _has_spread(self) -> bool:
        """Whether trainings and videos differ, so that there is something to test."""
        return self.seeds > 1 and 0 < self.error < np.inf

    def _half_widths(self, tail: float) -> np.ndarray:
        """Half widths of the interval with probability `tail` above it, (NODES,): one a variance between seeds."""
        (seeds, df), *videos = self.terms
        drawn = chdtri(df, (np.arange(NODES) + 0.5) / NODES) / df  # the seeds' variance, relative to its expectation
        limits = [float(stdtrit(df, tail)) ** 2 for _, df in self.terms]
        fixed = sum(term * limit for (term, _), limit in zip(videos, limits[1:], strict=True))
        return np.sqrt(seeds * drawn * limits[0] + fixed)

    def _between(self, bound: np.ndarray) -> np.ndarray:
        """Probability of a value between -bound and bound."""
        return ndtr((bound - self.value) / self.error) - ndtr((-bound - self.value) / self.error)


def estimate(values: Sequence[np.ndarray], videos: Sequence[np.ndarray], points: float = 0.0) -> Estimate:
    """Estimate of a sum over datasets of the mean over clips, plus `points`.

    `values` has one array (S, N) a dataset: the contrast's value for each of S seeds and N clips. For two methods it is
    the difference of right answers, -1, 0 or 1. `videos` (N,) a dataset names each clip's video, the sampling unit.
    Datasets share seeds, not videos. With one seed the error is that of other videos alone.
    """
    return estimate_over_worlds([(values, videos)], points)


def estimate_over_worlds(worlds: Sequence[World], points: float = 0.0) -> Estimate:
    """The estimate of `estimate` over several worlds, each with its own seeds and clips; every seed has equal weight.

    A video belongs to one world. The variance of seeds is over all worlds: differences of worlds make the error larger.
    """
    if not worlds or not all(values and all(each.size for each in values) for values, _ in worlds):
        raise UserError("no clips: an accuracy needs at least one")
    by_seed = [sum(each.mean(axis=1) for each in values) + points for values, _ in worlds]  # (S_w,) a world
    together = np.concatenate(by_seed)  # (S,)
    seeds = len(together)
    parts = [[by_video(*pair) for pair in zip(*world, strict=True)] for world in worlds]
    terms = [] if seeds == 1 else [(together.var(ddof=1) / seeds, seeds - 1)]
    for seeds_of_world, datasets in zip(by_seed, parts, strict=True):
        share = (len(seeds_of_world) / seeds) ** 2
        terms += [(share * term, df) for term, df in (_video_term(linear) for linear, _ in datasets)]
    return Estimate(
        value=round(float(together.mean()), DIGITS),
        terms=tuple((float(term) if term > 10.0 ** (-2 * DIGITS) else 0.0, df) for term, df in terms),
        seeds=seeds,
        videos=min(sum(linear.shape[1] for linear, _ in dataset) for dataset in zip(*parts, strict=True)),
        differing=sum(differing for datasets in parts for _, differing in datasets),
        std=float(together.std(ddof=1)) if seeds > 1 else None,
        by_world=tuple(round(float(each.mean()), DIGITS) for each in by_seed) if len(worlds) > 1 else (),
    )


def by_video(values: np.ndarray, videos: np.ndarray) -> tuple[np.ndarray, int]:
    """The ratio estimator's linear terms (S, V) of values (S, N), with mean 0; and how many videos differ.

    A mean over clips is a ratio of two sums over videos: of the values and of the clips.
    """
    _, codes, clips = np.unique(videos, return_inverse=True, return_counts=True)  # (N,), (V,)
    sums = np.stack([np.bincount(codes, weights=row) for row in values])  # (S, V)
    means = np.round(sums.sum(axis=0) / clips, DIGITS)  # S times the mean over seeds
    differing = len(clips) - int(np.unique(means, return_counts=True)[1].max())
    linear = (sums - values.mean(axis=1, keepdims=True) * clips) / clips.mean()
    return linear, differing


def _video_term(linear: np.ndarray) -> tuple[float, int]:
    """Variance component of the videos from linear terms (S, V), and its degrees of freedom.

    The seeds' component already contains the interaction of seeds and videos, which is subtracted here. The component
    is 0 where videos differ less than the interaction explains.
    """
    seeds, videos = linear.shape
    if videos == 1:
        return np.inf, 1
    means = linear.mean(axis=0)
    between = (means**2).sum() / (videos - 1) / videos  # mean square of videos / (S V)
    if seeds == 1:
        return between, videos - 1
    interaction = ((linear - means) ** 2).sum() / ((seeds - 1) * (videos - 1)) / (seeds * videos)
    return max(0.0, between - interaction), videos - 1
