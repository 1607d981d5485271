"""Average precision of a weight matrix for the related class pairs, with a permutation test.

Equal weights count as if they stood in random order, by the expected value over all such orders.
A matrix of equal weights therefore scores what a random one does on average.
"""

from dataclasses import dataclass

import numpy as np

from multitrain.common.seeding import generator

__all__ = ["PERMUTATIONS", "Recovery", "recover"]

TOP = 5
PERMUTATIONS = 2000
AT_ONCE = 2_000_000  # numbers of permutations held at a time, so that memory stays small
SLACK = 1e-12  # two orders of the same sum


@dataclass(frozen=True)
class Recovery:
    """Related pairs among the largest weights of one matrix; None where no pair is related."""

    pairs: int
    related: int
    precision_at_5: float | None  # over fewer where there are fewer pairs
    average_precision: float | None
    p_value: float | None
    permutations: int

    @property
    def chance(self) -> float:
        """Share of related pairs: the expected precision of a random order."""
        return self.related / self.pairs

    @property
    def chance_average_precision(self) -> float | None:
        """The expected average precision of a random order; it is above `chance`, most for few pairs."""
        if not self.related:
            return None
        index = np.arange(self.related)[None]
        return float(_average_precision(_places(np.zeros((1, self.pairs))), np.zeros_like(index), index)[0])


@dataclass(frozen=True)
class _Places:
    """Rank of each pair by descending weight."""

    before: np.ndarray  # (C_target, C_source): pairs with a larger weight
    ties: np.ndarray  # (C_target, C_source): pairs with this weight, itself one of them
    harmonic: np.ndarray  # (pairs + 1,): sums of 1/i up to each count


def recover(weight: np.ndarray, related: np.ndarray, seed: int, *names: str) -> Recovery:
    """Recovery of `related` (C_target, C_source) by `weight` of the same shape; the draws depend on seed and names.

    p is that of a permutation test: source classes and target classes of the weights are permuted, independently, and
    p = (1 + permutations with an average precision as high or higher) / (1 + permutations). Rows and columns stay
    whole, so a class whose weights are all large is as large by chance.
    """
    count = int(related.sum())
    if not count:
        return Recovery(weight.size, 0, None, None, None, 0)
    places = _places(weight)
    targets, sources = np.nonzero(related)
    observed = _average_precision(places, targets[None], sources[None])[0]
    rng = generator(seed, "recovery", *names)
    reached, left = 0, PERMUTATIONS
    while left:
        now = min(left, max(1, AT_ONCE // max(count, *weight.shape)))
        rows = _permutations(rng, now, weight.shape[0])  # (now, C_target)
        columns = _permutations(rng, now, weight.shape[1])  # (now, C_source)
        reached += int((_average_precision(places, rows[:, targets], columns[:, sources]) >= observed - SLACK).sum())
        left -= now
    return Recovery(
        pairs=weight.size,
        related=count,
        precision_at_5=_precision(places, targets, sources),
        average_precision=float(observed),
        p_value=(1 + reached) / (1 + PERMUTATIONS),
        permutations=PERMUTATIONS,
    )


def _places(weight: np.ndarray) -> _Places:
    _, inverse, counts = np.unique(-weight.ravel(), return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, weight.size + 1))])
    return _Places(before[inverse].reshape(weight.shape), counts[inverse].reshape(weight.shape), harmonic)


def _permutations(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """(count, size), a permutation a row."""
    return rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1)


def _average_precision(places: _Places, targets: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Mean over related pairs, (N, related) indices, of the precision at each one's place; returns (N,).

    Among n tied pairs with r related ones, after b pairs with a related ones, a related pair stands at place b + i with
    the same probability 1/n for each i, and (i - 1)(r - 1)/(n - 1) other related ties are expected before it:
    precision (a + 1 + (i - 1)(r - 1)/(n - 1)) / (b + i). The sum over i has harmonic numbers.
    """
    before = places.before[targets, sources]  # (N, related)
    order = np.argsort(before, axis=1)
    before = np.take_along_axis(before, order, axis=1)
    ties = np.take_along_axis(places.ties[targets, sources], order, axis=1)
    first = np.ones(before.shape, dtype=bool)  # of its tie
    first[:, 1:] = before[:, 1:] != before[:, :-1]
    index = np.arange(before.shape[1])
    start = np.maximum.accumulate(np.where(first, index, 0), axis=1)  # related pairs with a larger weight
    last = np.concatenate([first[:, 1:], np.ones((len(first), 1), dtype=bool)], axis=1)
    end = np.minimum.accumulate(np.where(last, index, len(index))[:, ::-1], axis=1)[:, ::-1]
    reciprocal = places.harmonic[before + ties] - places.harmonic[before]  # sum of 1 / (b + i)
    others = (end - start) / np.maximum(ties - 1, 1)  # (r - 1) / (n - 1)
    precision = ((start + 1) * reciprocal + others * (ties - (before + 1) * reciprocal)) / ties
    return precision.mean(axis=1)


def _precision(places: _Places, targets: np.ndarray, sources: np.ndarray) -> float:
    """Precision among the first five pairs, in expectation over ties at the fifth place."""
    top = min(TOP, places.before.size)
    before, ties = places.before[targets, sources], places.ties[targets, sources]
    return float(np.clip((top - before) / ties, 0, 1).sum() / top)
