import numpy as np
import pytest

from dev.rule.planned_power import CONTRASTS, components, planned
from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.config.config_files import load_experiments, load_scale

VIDEOS = 400


def answers(seed: int, seeds: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Differences of right answers (S, N) on two datasets, the second with two clips a video."""
    rng, pairs = np.random.default_rng(seed), []
    for clips in (1, 2):
        of = np.repeat(np.arange(VIDEOS), clips)
        effect = rng.normal(0, 0.2, (seeds, 1)) + rng.normal(0, 0.7, VIDEOS)[of] + rng.normal(size=(seeds, len(of)))
        pairs.append((np.sign(np.round(effect)), of))
    return pairs


@pytest.mark.parametrize("seed", range(5))
def test_the_same_study_planned_again_has_its_own_error(seed):
    pairs = answers(seed)
    _, again = planned(pairs, worlds=1, seeds=6, videos=VIDEOS)
    here = estimate([values / 2 for values, _ in pairs], [of for _, of in pairs])
    assert again.error == pytest.approx(here.error, rel=1e-12)
    assert [df for _, df in again.terms] == [df for _, df in here.terms]


def test_two_worlds_halve_the_variance_of_one():
    pairs = answers(0)
    one, two = (planned(pairs, worlds, 5, VIDEOS)[1].error for worlds in (1, 2))
    assert two**2 == pytest.approx(one**2 / 2, rel=1e-12)


def test_more_videos_leave_the_variance_between_trainings():
    training, many = planned(answers(1), worlds=1, seeds=4, videos=10**12)
    assert many.error == pytest.approx(training / 2, rel=1e-6)


def test_components_of_a_video_that_decides_alone():
    values = np.tile(np.repeat([0.0, 1.0], 50), (3, 1))
    video, interaction, count = components(values, np.arange(100))
    assert (video, interaction, count) == (pytest.approx(values[0].var(ddof=1)), 0, 100)


def test_its_contrasts_are_of_runs_that_there_are():
    experiments = load_experiments(scale=load_scale("desk"))
    for left, other in CONTRASTS.values():
        for name in (left, other.format("k400")):
            assert experiments.run(name).datasets
