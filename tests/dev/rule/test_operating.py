"""How often the rule is right in small simulated studies; docs/reference/experiment.md has the large ones.

Bounds are three binomial standard errors from what the rule promises; the studies are the same each time.
"""

import numpy as np
import pytest

from dev.rule import operating

VIDEOS = 110


def test_simulated_accuracies_vary_between_trainings_as_they_should():
    rng = np.random.default_rng(0)
    answers = operating.simulate(rng, np.array([0.0, 0.05]), 300, 300)
    for right, videos in answers:
        by_run = right.mean(axis=-1)  # (methods, S)
        clips = 0.5 * np.sqrt(operating.SHARES["training"] / 300)  # at least this much is added by which clips are hit
        assert operating.BETWEEN_RUNS < by_run.std(axis=1).mean() < operating.BETWEEN_RUNS + 2 * clips
        assert len(np.unique(videos)) == 300
    gains = np.mean([right[1].mean() - right[0].mean() for right, _ in answers])
    assert gains == pytest.approx(0.05, abs=0.02)  # videos of four datasets, 300 each: 0.7 points


@pytest.mark.parametrize("seeds", [3, 10])
def test_intervals_cover_the_truth(seeds: int):
    studies = 250
    held = np.mean([operating.covered(study, 1, seeds, VIDEOS)[0] for study in range(studies)])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / studies) < held < 1


@pytest.mark.parametrize(("seeds", "worlds"), [(3, 1), (5, 2)])
def test_studies_without_effect_have_few_wrong_verdicts(seeds: int, worlds: int):
    """Eight claims at 5% each and without correction would be wrong in one study of four."""
    studies = 80
    found = [operating.verdicts(study, 1, seeds, VIDEOS, 0.0, worlds)[0] for study in range(studies)]
    wrong = sum(map(operating.wrong, found))
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_intervals_over_two_worlds_cover_what_is_true_of_them_and_worlds_alike():
    """Of five seeds in each: as nearly as of ten in one. Of worlds 2 points apart, what is true of these two."""
    studies, slack = 250, 3 * np.sqrt(0.95 * 0.05 / 250)
    alike, apart = (
        np.mean([operating.covered_worlds(study, 1, 5, VIDEOS, points) for study in range(studies)], axis=0)
        for points in (0.0, 0.02)
    )
    assert alike[0] == alike[1] and 0.95 - slack < alike[0] < 1 and apart[0] > 0.95 - slack


def test_a_large_effect_is_found_and_one_seed_finds_none():
    found = [operating.verdicts(study, 1, 5, VIDEOS, 0.2)[0][-1] for study in range(10)]
    assert set(found) == {"holds"}
    assert set(operating.verdicts(0, 1, 1, VIDEOS, 0.2)[0]) == {"one seed: no verdict"}


def test_a_table_is_printed_as_markdown_with_every_row(capsys):
    operating.show(["videos", "points"], [["300", "1.5"], ["2000", "-0.6 to 1.2"]])
    assert capsys.readouterr().out == "| videos | points |\n| --- | --- |\n| 300 | 1.5 |\n| 2000 | -0.6 to 1.2 |\n"
