"""The one interval of the product, with answers known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from multitrain.analysis.accuracy.contrasts import estimate, estimate_over_worlds
from multitrain.common.errors import UserError


def own_videos(values: np.ndarray) -> np.ndarray:
    """Each clip is a video."""
    return np.arange(values.shape[1])


def single(values: np.ndarray, points: float = 0.0):
    return estimate([values], [own_videos(values)], points)


def test_one_seed_is_the_t_interval_of_the_videos_mean():
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=(1, 320))
    found = single(values)
    expected = stats.t.interval(0.95, 319, values.mean(), stats.sem(values[0]))
    assert found.interval == pytest.approx(expected, abs=1e-12)
    assert found.p_value == pytest.approx(stats.ttest_1samp(values[0], 0).pvalue, rel=1e-9)
    assert (found.seeds, found.std, found.videos) == (1, None, 320)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(("right", "expected"), [(0.0, (0, 0.1323)), (1.0, (0.8677, 1))])
def test_an_accuracy_of_nothing_or_all_has_clopper_and_pearsons_interval_over_videos(seeds, right, expected):
    """0 or 26 of 26 videos, of two clips each; seeds add no videos."""
    values = np.full((seeds, 52), right)
    found = estimate([values], [np.arange(52) // 2])
    exact = stats.binomtest(int(26 * right), 26).proportion_ci(0.95, method="exact")
    assert found.interval_of_accuracy == pytest.approx((exact.low, exact.high))
    assert found.interval_of_accuracy == pytest.approx(expected, abs=1e-4)


def test_an_accuracys_interval_is_the_t_interval_within_nothing_and_all():
    values = (np.arange(60) < 1).astype(float)[None]
    found = single(values)
    low, high = found.interval
    assert low < 0 and found.interval_of_accuracy == (0, high)
    found = single(1 - values)
    assert found.interval_of_accuracy == (found.interval[0], 1)


def test_where_seeds_are_all_that_differs_it_is_the_t_interval_of_their_means():
    """Every clip agrees, so that videos say nothing: 0.5, 0.1, -0.2."""
    by_seed = np.array([0.5, 0.1, -0.2])
    found = single(np.repeat(by_seed[:, None], 40, axis=1))
    assert found.interval == pytest.approx(stats.t.interval(0.95, 2, by_seed.mean(), stats.sem(by_seed)), abs=1e-9)
    assert found.p_value == pytest.approx(stats.ttest_1samp(by_seed, 0).pvalue, rel=1e-6)
    assert found.std == pytest.approx(by_seed.std(ddof=1))


def test_seeds_are_shared_by_all_datasets_and_videos_are_not():
    """What a seed gains on one dataset and loses on the other is no error of the sum."""
    by_seed = np.array([[0.5], [0.1], [-0.2]])
    one, other = np.repeat(by_seed, 40, axis=1), np.repeat(-by_seed, 60, axis=1)
    found = estimate([one, other], [own_videos(one), own_videos(other)])
    assert (found.value, found.error, found.p_value, found.interval) == (0, 0, 1, (0, 0))
    values = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], size=(1, 300))
    both = estimate([values, values], [own_videos(values)] * 2)
    assert both.error == pytest.approx(np.sqrt(2) * single(values).error)


def test_the_error_is_that_of_crossed_seeds_and_videos():
    """By the sums of squares of a two-way table, worked out cell by cell."""
    table = np.random.default_rng(1).normal(size=(4, 30)) + np.linspace(-2, 2, 30)
    seeds, videos = table.shape
    grand = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    of_seeds = videos * sum((row - grand) ** 2 for row in rows) / (seeds - 1)
    of_videos = seeds * sum((column - grand) ** 2 for column in columns) / (videos - 1)
    rest = sum((table[s, v] - rows[s] - columns[v] + grand) ** 2 for s in range(seeds) for v in range(videos)) / (
        (seeds - 1) * (videos - 1)
    )
    found = single(table)
    assert found.error**2 == pytest.approx((of_seeds + of_videos - rest) / (seeds * videos))
    assert found.seeds_error**2 == pytest.approx(of_seeds / (seeds * videos))


def test_each_part_of_the_error_has_its_own_t_quantile():
    """A single approximate t is far too sure where few seeds happen to agree."""
    found = single(np.random.default_rng(1).normal(size=(4, 30)) + np.linspace(-2, 2, 30))
    (of_seeds, few), (of_videos, many) = found.terms
    assert (few, many) == (3, 29) and min(of_seeds, of_videos) > 0
    half = np.sqrt(of_seeds * stats.t.ppf(0.975, 3) ** 2 + of_videos * stats.t.ppf(0.975, 29) ** 2)
    assert found.interval == pytest.approx((found.value - half, found.value + half))
    for tail in (0.3, 0.025, 1e-6, 1e-30):
        assert found.tail(found.limit(tail)) == pytest.approx(tail, rel=1e-6)
        assert found.tail(-found.limit(tail)) == pytest.approx(1 - tail)
    assert found.tail(0) == pytest.approx(0.5)


def test_the_unit_is_the_video():
    """Five clips of each video that agree are one answer, not five; a video of many clips weighs more in the mean."""
    values = np.random.default_rng(3).choice([0.0, 1.0], size=(3, 60))
    five = estimate([np.repeat(values, 5, axis=1)], [np.repeat(np.arange(60), 5)])
    assert five == single(values)
    clips = np.array([1, 1, 1, 5])
    uneven = estimate([np.repeat([[1.0, 0.0, 1.0, 0.0]], clips, axis=1)], [np.repeat(np.arange(4), clips)])
    linear = clips / clips.mean() * (np.array([1, 0, 1, 0]) - 2 / 8)
    assert (uneven.value, uneven.error) == (0.25, pytest.approx(linear.std(ddof=1) / 2))


def test_names_of_videos_are_only_names():
    values = np.random.default_rng(4).choice([0.0, 1.0], size=(2, 50))
    codes = np.arange(50) // 2
    named = estimate([values], [np.array([f"video {code}" for code in codes])])
    order = np.random.default_rng(5).permutation(50)
    assert estimate([values[:, order]], [codes[order]]).error == pytest.approx(named.error)


def test_videos_that_differ_from_the_commonest_are_counted():
    gained = np.zeros((5, 320))
    gained[:, :4] = 1
    gained[0, 10] = -1
    assert [single(each).differing for each in (gained, np.zeros((2, 30)), 1 - gained)] == [5, 0, 5]


def test_points_move_the_value_and_not_the_error():
    values = np.random.default_rng(6).choice([0.0, 1.0], size=(3, 100))
    moved, plain = single(values, -0.01), single(values)
    assert (moved.value - plain.value, moved.error) == (pytest.approx(-0.01), plain.error)


def test_a_difference_within_the_margin_is_shown_by_two_one_sided_tests():
    values = np.random.default_rng(7).choice([-1.0, 0.0, 1.0], p=[0.02, 0.95, 0.03], size=(1, 4000))
    found = single(values)
    lower = stats.ttest_1samp(values[0], -0.02, alternative="greater").pvalue
    upper = stats.ttest_1samp(values[0], 0.02, alternative="less").pvalue
    assert found.p_outside(0.02) == pytest.approx(max(lower, upper), rel=1e-6)


def test_where_seeds_are_all_that_differs_power_is_that_of_the_noncentral_t():
    found = single(np.repeat([[0.05], [0.01], [-0.02], [0.03]], 40, axis=1))
    for level in (0.05, 0.00625):
        limit = stats.t.ppf(1 - level / 2, 3)
        for truth in (0.0, 0.03, 0.1):
            expected = stats.nct.sf(limit, 3, truth / found.error)
            assert found.power(truth, level) == pytest.approx(expected, abs=0.003)  # by the nodes of the integral


def test_power_is_the_share_of_studies_that_hold():
    """Other studies of the same size, drawn with the error that this one has."""
    found = single(np.random.default_rng(9).normal(size=(5, 60)) / 10 + np.linspace(-0.3, 0.3, 60))
    (of_seeds, df), (of_videos, _) = found.terms
    rng, studies, held = np.random.default_rng(10), 2000, 0
    for _ in range(studies):
        terms = ((of_seeds * rng.chisquare(df) / df, df), (of_videos, 59))
        held += replace(found, value=rng.normal(0.1, found.error), terms=terms).p_value < 0.05
    assert found.power(0.1, 0.05) == pytest.approx(held / studies, abs=3 * np.sqrt(0.25 / studies))


@pytest.mark.parametrize(("margin", "value"), [(None, 0.04), (None, -0.06), (0.05, 0.02), (0.08, 0.03)])
def test_decisiveness_is_the_share_of_studies_with_a_verdict(margin: float | None, value: float):
    """Of twelve seeds, where five were run; a difference counts in either direction, and one within the margin."""
    values = np.random.default_rng(11).normal(size=(5, 60)) / 10 + np.linspace(-0.3, 0.3, 60)
    expected = replace(single(values), value=value).with_seeds(12)
    (of_seeds, df), of_videos = expected.terms
    assert (of_seeds, df) == (pytest.approx(single(values).terms[0][0] * 5 / 12), 11)
    rng, studies, decided = np.random.default_rng(12), 2000, 0
    for _ in range(studies):
        terms = ((of_seeds * rng.chisquare(df) / df, df), of_videos)
        study = replace(expected, value=rng.normal(value, expected.error), terms=terms)
        decided += study.p_value < 0.05 or (margin is not None and study.p_outside(margin) < 0.025)
    share = expected.decisiveness(0.05, margin, 0.025)
    assert share > 0.05 and share == pytest.approx(decided / studies, abs=3 * np.sqrt(0.25 / studies))


def test_without_seeds_or_differences_there_is_no_power():
    assert single(np.zeros((2, 30))).power(0.1, 0.05) == single(np.zeros((2, 30))).decisiveness(0.05, 0.1, 0.05) == 0
    assert single(np.random.default_rng(8).normal(size=(1, 200))).power(0.1, 0.05) == 0


def test_one_video_says_nothing_of_others_and_none_is_an_error():
    assert single(np.ones((1, 1))).interval == (-np.inf, np.inf)
    assert single(np.ones((3, 1))).interval == (-np.inf, np.inf)
    assert single(np.ones((1, 50))).interval == (1, 1)
    for values in ([], [np.zeros((1, 0))]):
        with pytest.raises(UserError, match="no clips"):
            estimate(values, [np.arange(0)] * len(values))


def test_several_worlds_are_their_seeds_alike_and_the_videos_of_each_in_its_share():
    """By hand: the mean over seeds; the variance over all seeds; a world's videos by its share of seeds, squared."""
    rng = np.random.default_rng(5)
    parts = [(rng.integers(0, 2, (3, 40)).astype(float), np.arange(40)), (rng.random((1, 50)), np.arange(50))]
    its = estimate_over_worlds([([values], [videos]) for values, videos in parts])
    by_seed = np.concatenate([values.mean(axis=1) for values, _ in parts])
    assert its.value == pytest.approx(by_seed.mean()) and its.std == pytest.approx(by_seed.std(ddof=1))
    alone = [estimate([values], [videos]) for values, videos in parts]
    videos = (0.75**2 * alone[0].terms[1][0], 0.25**2 * alone[1].terms[0][0])
    assert [df for _, df in its.terms] == [3, 39, 49]
    assert [term for term, _ in its.terms] == pytest.approx([by_seed.var(ddof=1) / 4, *videos])
    assert its.by_world == pytest.approx([values.mean() for values, _ in parts]) and (its.seeds, its.videos) == (4, 90)
