"""Accuracies with answers known beforehand."""

import numpy as np
import pytest

from multitrain.analysis import metrics
from multitrain.analysis.metrics import bootstrap_interval, paired_interval
from multitrain.errors import UserError


def test_interval_of_certain_clips_is_a_point():
    assert bootstrap_interval(np.ones(50)) == (1.0, 1.0)


def test_interval_is_the_same_each_time_and_needs_clips():
    values = np.array([0.0, 1.0, 1.0, 0.5])
    assert bootstrap_interval(values) == bootstrap_interval(values)
    with pytest.raises(UserError, match="no clips"):
        bootstrap_interval(np.array([]))


def test_interval_has_the_width_of_the_binomial():
    values = np.repeat([0.0, 1.0], [160, 240])
    low, high = bootstrap_interval(values, resamples=20000)
    half = 1.96 * np.sqrt(0.6 * 0.4 / 400)
    assert low == pytest.approx(0.6 - half, abs=0.005)
    assert high == pytest.approx(0.6 + half, abs=0.005)


def test_drawing_counts_of_values_is_drawing_clips():
    """The shortcut against the plain bootstrap, on values averaged over three seeds."""
    values = np.random.default_rng(0).integers(0, 4, size=200) / 3
    drawn = np.random.default_rng(1).choice(values, size=(20000, 200)).mean(axis=1)
    expected = np.quantile(drawn, [0.025, 0.975])
    assert bootstrap_interval(values, resamples=20000) == pytest.approx(tuple(expected), abs=0.004)


def test_interval_covers_the_truth_about_19_times_in_20():
    truth, clips, trials = 0.6, 320, 400
    rng = np.random.default_rng(7)
    intervals = [bootstrap_interval((rng.random(clips) < truth).astype(float), seed=i) for i in range(trials)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.92 <= covered <= 0.98  # 0.95, less three standard errors of 400 trials, less the method's own bias


TRUE_GAIN = 0.2 * (0.75 - 0.6)


def correlated(rng: np.random.Generator, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong, (1, clips) each: the right method with probability 0.6, the left one as the right one, but for
    one clip in five, on which it is right with probability 0.75.
    """
    right = rng.random((1, clips)) < 0.6
    left = np.where(rng.random((1, clips)) < 0.2, rng.random((1, clips)) < 0.75, right)
    return left.astype(float), right.astype(float)


def test_paired_interval_covers_the_truth_about_19_times_in_20():
    """An unpaired interval would be more than twice as wide here and cover the truth always."""
    rng, trials, covered = np.random.default_rng(3), 400, 0
    for trial in range(trials):
        left, right = correlated(rng, clips=400)
        low, high = paired_interval([left - right], seed=trial, resamples=500)
        covered += low <= TRUE_GAIN <= high
    assert 0.92 <= covered / trials <= 0.98


def test_pairing_makes_the_interval_narrower_than_two_independent_ones():
    left, right = correlated(np.random.default_rng(0), clips=400)
    low, high = paired_interval([left - right])
    unpaired_low, unpaired_high = paired_interval([left, -right])  # as if of two datasets: each drawn on its own
    assert high - low < 0.6 * (unpaired_high - unpaired_low)


def test_paired_interval_of_one_seed_is_that_of_the_mean_over_clips():
    values = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=500)
    paired = paired_interval([values[None]], resamples=20000)
    assert paired == pytest.approx(bootstrap_interval(values, resamples=20000), abs=0.002)


def test_clips_of_two_datasets_are_drawn_each_on_its_own():
    values = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], size=(1, 300))
    one = np.subtract(*paired_interval([values]))
    assert np.subtract(*paired_interval([values, values])) == pytest.approx(np.sqrt(2) * one, rel=0.06)


def test_several_seeds_are_drawn_jointly_for_all_datasets():
    """Every clip agrees, so that seeds are all that differs: 0.5, 0.1, -0.2, and the opposite on another dataset."""
    by_seed = np.array([[0.5], [0.1], [-0.2]])
    one, other = np.repeat(by_seed, 40, axis=1), np.repeat(-by_seed, 60, axis=1)
    low, high = paired_interval([one])
    assert low == pytest.approx(-0.2, abs=0.11)
    assert high == pytest.approx(0.5, abs=0.15)
    assert paired_interval([one, other]) == pytest.approx((0, 0), abs=1e-12)


def test_with_several_seeds_the_interval_covers_other_trainings():
    """Each training moves the difference by 12 points (standard deviation): an interval about clips alone is no more
    than a coin here. The bootstrap of ten seeds itself stays a little under 19 in 20.
    """
    rng, seeds, trials = np.random.default_rng(5), 10, 150
    both = clips_only = 0
    for trial in range(trials):
        gains = rng.normal(0.0, 0.12, size=(seeds, 1))
        place = rng.random((seeds, 320))
        values = (place < 0.15 + gains / 2).astype(float) - (place > 0.85 + gains / 2)  # the mean of a row is its gain
        low, high = paired_interval([values], seed=trial, resamples=300)
        both += low <= 0 <= high
        low, high = paired_interval([values.mean(axis=0)[None]], seed=trial, resamples=300)
        clips_only += low <= 0 <= high
    assert 0.85 <= both / trials <= 0.98
    assert clips_only / trials < 0.7


def test_paired_interval_is_the_same_whatever_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch):
    values = np.random.default_rng(4).choice([-1.0, 0.0, 1.0], size=(3, 200))
    expected = paired_interval([values])
    monkeypatch.setattr(metrics, "CELLS", 7)
    assert paired_interval([values]) == pytest.approx(expected, abs=1e-12)


def test_paired_interval_of_equal_methods_is_a_point_and_needs_clips():
    assert paired_interval([np.zeros((2, 30))]) == (0.0, 0.0)
    with pytest.raises(UserError, match="no clips"):
        paired_interval([np.zeros((1, 10)), np.zeros((1, 0))])
    with pytest.raises(UserError, match="no clips"):
        paired_interval([])
