"""Accuracies with answers known beforehand."""

import numpy as np
import pytest

from multitrain.analysis.metrics import bootstrap_interval, ranks, top
from multitrain.errors import UserError


def test_ranks_count_the_classes_before_the_own_one():
    scores = np.array([[0.1, 0.7, 0.2], [0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], dtype=np.float32)
    assert ranks(scores, np.array([1, 2, 0])).tolist() == [0, 1, 2]


def test_a_tie_counts_against_the_clip():
    constant = np.full((2, 4), 0.25, dtype=np.float32)
    assert ranks(constant, np.array([0, 3])).tolist() == [3, 3]


def test_top_k():
    rank = np.array([0, 4, 5, 1])
    assert top(1, rank).mean() == 0.25
    assert top(5, rank).mean() == 0.75


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_an_error_that_counts_them(bad: float):
    scores = np.array([[0.5, 0.5], [bad, 0.5], [0.1, 0.9]])
    with pytest.raises(UserError, match="1 clips have scores that are not finite"):
        ranks(scores, np.array([0, 0, 0]))


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
