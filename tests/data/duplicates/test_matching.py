"""Near-duplicates among films: changed copies are found, other films are not, and the bands lose none."""

import numpy as np
import pytest

from multitrain.common.seeding import generator
from multitrain.data.duplicates import matching
from multitrain.data.duplicates.fingerprints import CELLS, FRAMES
from multitrain.data.duplicates.matching import find_matches

TIMES = (np.arange(FRAMES) + 0.5) / FRAMES


def films(count: int, times: np.ndarray = TIMES, scene: int | None = None) -> np.ndarray:
    """`count` smooth films, at the given times of them; with `scene` all have that background."""
    made = np.empty((count, FRAMES, CELLS, CELLS), np.uint8)
    rows, columns = np.mgrid[:CELLS, :CELLS] / CELLS
    for number in range(count):
        rng, place = generator(number, "film"), generator(number if scene is None else scene, "scene")
        background = 60 * np.sin(place.uniform(2, 6) * rows + place.uniform(2, 6) * columns + place.uniform(0, 6))
        made[number] = np.clip(110 + background + 90 * (_actor(rng, times) + _actor(rng, times)), 0, 255)
    return made


def _actor(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """(T, CELLS, CELLS): a spot on an ellipse."""
    rows, columns = np.mgrid[:CELLS, :CELLS] / CELLS
    pace, phase, x, y = rng.uniform(3, 9), rng.uniform(0, 6), rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)
    across = x + rng.uniform(0.1, 0.4) * np.sin(pace * times + phase)
    down = y + rng.uniform(0.1, 0.4) * np.cos(pace * times + phase)
    return np.exp(-((columns - across[:, None, None]) ** 2 + (rows - down[:, None, None]) ** 2) / 0.02)


def noisy(clean: np.ndarray) -> np.ndarray:
    return np.clip(clean + generator(0, "noise").normal(0, 1.5, clean.shape), 0, 255).astype(np.uint8)


CHANGED = {
    "the same": films(30),
    "noise": noisy(films(30)),
    "darker": (0.7 * films(30) + 10).astype(np.uint8),
    "begins later": films(30, 0.08 + 0.92 * TIMES),
    "ends earlier": films(30, 0.92 * TIMES),
    "mirrored": films(30)[..., ::-1],
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_copy_is_found_and_no_other_film(name: str):
    found = find_matches(films(60), CHANGED[name])
    assert sorted(found.second.tolist()) == list(range(30))
    assert (found.first == found.second).all() and (found.distance < 1).all()
    assert (found.mirrored == (name == "mirrored")).all()
    if name == "the same":
        assert found.distance.max() < 1e-6


def test_other_actions_before_one_background_are_no_duplicates():
    assert not len(find_matches(films(40, scene=7)[:20], films(40, scene=7)[20:]).first)


def test_the_same_action_before_another_background_is_no_duplicate():
    one, other = (matching._normalised(films(20, scene=scene)) for scene in (7, 8))
    assert (matching._distances(one, other) > 1).all()


def test_bands_lose_no_pair_that_a_comparison_of_all_pairs_has(monkeypatch):
    first, second = films(60), noisy(films(60, 0.05 + 0.95 * TIMES))
    monkeypatch.setattr(matching, "PAIRS", 7)  # several parts of a band
    by_bands = matching._candidates(matching._pictures(first), matching._pictures(second))
    pictures = matching._pictures(first)[:, None], matching._pictures(second)[None]
    differences = ((pictures[0] - pictures[1]) ** 2).mean(2)
    variances = pictures[0].var(2) + pictures[1].var(2) + matching.NOISE
    assert by_bands.tolist() == np.argwhere(differences / variances < matching.STILL).tolist()


def test_nothing_matches_nothing():
    assert not len(find_matches(films(0), films(3)).first) and not len(find_matches(films(3), films(0)).first)
