"""Search for near-duplicates among a million fingerprints: sorted bands of random projections, then a comparison.

Two films are compared in two parts, each normalised by the films' own contrast. `still` is the difference of their mean
pictures over the variance within these; `moving` is the difference of what remains over the variance in time, the least
over trims of up to a tenth of the length at either end. So two actions before one background differ in the second,
and the same movement elsewhere in the first. The limits are measured: docs/reference/near-duplicates.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from multitrain.common.seeding import generator
from multitrain.data.duplicates.fingerprints import CELLS, FRAMES

__all__ = ["Matches", "find_matches"]

STILL, MOVING = 0.03, 0.2  # limits of the two parts
CONTRAST = 8  # grey levels: films of less contrast are compared as if they had so much
NOISE = 0.005  # of the variance: what encoding alone adds
TRIMS = (0.0, 0.025, 0.05, 0.075, 0.1)  # of the length, at the start and at the end
BANDS, BITS = 24, 20  # of random projections: two mean pictures at the limit share a band with a probability of 0.995
PAIRS, FILMS = 1 << 18, 1 << 12  # pairs of mean pictures and of films that are compared at once
ROWS = 1 << 14  # films that are normalised at once


@dataclass(frozen=True)
class Matches:
    """Pairs of near-duplicates."""

    first: np.ndarray  # (M,) rows of the first films
    second: np.ndarray  # (M,) rows of the second
    distance: np.ndarray  # (M,) the larger of `still` and `moving` over its limit: 0 for the same film, below 1 here
    mirrored: np.ndarray  # (M,) whether the second shows the first mirrored


def find_matches(first: np.ndarray, second: np.ndarray) -> Matches:
    """All near-duplicates between films (N, FRAMES, CELLS, CELLS) and (L, FRAMES, CELLS, CELLS), mirrored ones too."""
    parts = [_matches(first, films, mirrored) for films, mirrored in ((second, False), (second[..., ::-1], True))]
    columns = (np.concatenate([part[place] for part in parts]) for place in range(4))
    return Matches(*columns)


def _matches(first: np.ndarray, second: np.ndarray, mirrored: bool) -> tuple[np.ndarray, ...]:
    pairs = _candidates(_pictures(first), _pictures(second))
    distances = [np.empty(0)]
    for start in range(0, len(pairs), FILMS):
        one, other = (films[pairs[start : start + FILMS, place]] for place, films in enumerate((first, second)))
        distances.append(_distances(_normalised(one), _normalised(other)))
    distance = np.concatenate(distances)
    near = distance < 1
    return pairs[near, 0], pairs[near, 1], distance[near], np.full(near.sum(), mirrored)


def _normalised(films: np.ndarray) -> np.ndarray:
    """(N, FRAMES, CELLS^2) float32 of mean 0 and variance 1 over a whole film."""
    flat = films.reshape(len(films), -1).astype(np.float32)
    centred = flat - flat.mean(1, keepdims=True)
    return (centred / np.maximum(flat.std(1, keepdims=True), CONTRAST)).reshape(len(films), FRAMES, CELLS * CELLS)


def _pictures(films: np.ndarray) -> np.ndarray:
    """The mean picture (N, CELLS^2) float32 of each normalised film."""
    parts = [_normalised(films[start : start + ROWS]).mean(1) for start in range(0, len(films), ROWS)]
    return np.concatenate([np.empty((0, CELLS * CELLS), np.float32), *parts])


def _still(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) difference of mean pictures (N, CELLS^2) over their variance."""
    return ((one - other) ** 2).mean(1) / (one.var(1) + other.var(1) + NOISE)


def _candidates(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(M, 2) rows of mean pictures that share a band and differ by less than the limit."""
    projections = generator(0, "bands of fingerprints").standard_normal((BANDS, CELLS * CELLS, BITS), np.float32)
    found = [np.empty((0, 2), np.int64)]
    for band in projections:
        ours, theirs = _keys(first, band), _keys(second, band)
        order = np.argsort(ours, kind="stable")
        begin, end = (np.searchsorted(ours[order], theirs, side) for side in ("left", "right"))
        for places, rows in _expanded(begin, end):
            one = order[places]
            near = _still(first[one], second[rows]) < STILL
            found.append(np.stack([one[near], rows[near]], 1))
    return np.unique(np.concatenate(found), axis=0)


def _keys(pictures: np.ndarray, band: np.ndarray) -> np.ndarray:
    """(N,) the signs of a band's projections (CELLS^2, BITS), as a number."""
    return (pictures @ band > 0) @ (1 << np.arange(BITS))


def _expanded(begin: np.ndarray, end: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All (place, row) with begin[row] <= place < end[row], PAIRS at a time."""
    ends = np.cumsum(end - begin)
    for start in range(0, int(ends[-1]) if len(ends) else 0, PAIRS):
        numbers = np.arange(start, min(start + PAIRS, ends[-1]))
        rows = np.searchsorted(ends, numbers, "right")
        yield end[rows] - (ends[rows] - numbers), rows


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) distance of normalised films (N, FRAMES, CELLS^2), the least over the trims of either."""
    least = np.full(len(one), np.inf)
    for trim in _trims():
        for whole, cut in ((one, other), (other, one)):
            least = np.minimum(least, _aligned_distance(trim @ whole, cut))
    return least


def _aligned_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    means = one.mean(1), other.mean(1)
    moved = tuple(film - mean[:, None] for film, mean in zip((one, other), means, strict=True))
    variance = sum((each**2).mean((1, 2)) for each in moved) + NOISE
    moving = ((moved[0] - moved[1]) ** 2).mean((1, 2)) / variance
    return np.maximum(_still(*means) / STILL, moving / MOVING)


def _trims() -> Iterator[np.ndarray]:
    """Matrices (FRAMES, FRAMES) that give a film's frames after a trim, between two frames by interpolation."""
    middles = (np.arange(FRAMES) + 0.5) / FRAMES
    for start in TRIMS:
        for end in TRIMS:
            places = np.clip((start + middles * (1 - start - end)) * FRAMES - 0.5, 0, FRAMES - 1)
            distance = np.abs(places[:, None] - np.arange(FRAMES))
            yield np.maximum(1 - distance, 0).astype(np.float32)
