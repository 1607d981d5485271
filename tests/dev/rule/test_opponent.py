"""The rule for claims on the packed ten seeds with shuffled labels, on methods against themselves, and with an effect.

docs/reference/experiment.md has as many draws as tell a rate; here the draws are few and the same each time.
"""

from pathlib import Path

import numpy as np
import pytest

from dev.rule.operating import MARGIN, contrast, verdict_alone, wrong
from dev.rule.opponent import (
    POINTS,
    eight_against_themselves,
    exact_p,
    exchanged,
    halves,
    planted,
    read_pair,
    shuffled_labels,
)
from dev.rule.planned_power import CONTRASTS
from multitrain.analysis.packed.packed_study import read_study

FILE = Path(__file__).parents[3] / "docs/notes/mini-table1.parquet"
DRAWS = range(20)


@pytest.fixture(scope="module")
def study():
    return read_study(FILE)


@pytest.fixture(scope="module")
def pairs(study) -> list:
    return [read_pair(study, methods) for methods in CONTRASTS.values()]


@pytest.mark.parametrize("methods", CONTRASTS.values(), ids=["baselines", "larger"])
def test_with_shuffled_labels_nothing_is_left(study, methods):
    answers = [shuffled_labels(study, methods, np.random.default_rng((0, draw))) for draw in DRAWS[:10]]
    accuracies = np.array([[its.mean(axis=(1, 2)) for its, _ in each] for each in answers])  # (draws, datasets, 2)
    chance = 1 / 16  # of fewer classes it is more, of the most frequent class as well
    assert accuracies.max() < 2 * chance
    values = [contrast([each], 0, 1)[0].value for each in answers]
    assert np.abs(values).max() < MARGIN
    assert sum(wrong([verdict_alone(contrast([each], 0, 1))]) for each in answers) <= 1  # of 10 at a level of 5%


def test_no_method_differs_from_itself_under_other_seeds(pairs):
    """20 studies of eight claims, each a method's one half of seeds against the other."""
    found = [eight_against_themselves(pairs, np.random.default_rng((0, 8, draw))) for draw in DRAWS[:10]]
    assert not any(wrong(verdicts) for verdicts in found)
    assert {verdict for verdicts in found for verdict in verdicts} <= {"undetermined", "equivalent"}


def test_the_halves_share_no_seed():
    answers = [(np.arange(2 * 6 * 3).reshape(2, 6, 3), np.arange(3))]
    ((two, _),) = halves(answers, 1, np.random.default_rng(0))
    assert two.shape == (2, 3, 3) and len(np.unique(two)) == 18 and two.min() == 18


def test_exchanging_methods_in_some_seeds_leaves_no_difference(pairs):
    """The larger model is 3.3 points above by the mean; exchanged, half of its seeds say the opposite."""
    swaps = [np.random.default_rng((1, draw)).permutation(10) < 5 for draw in DRAWS]
    found = [verdict_alone(contrast([exchanged(pairs[1], swap)], 0, 1)) for swap in swaps]
    assert sum(wrong([verdict]) for verdict in found) <= 1
    assert exchanged(pairs[1], np.ones(10, bool))[0][0][0].tolist() == pairs[1][0][0][1].tolist()


@pytest.mark.parametrize("draw", range(5))
def test_three_planted_points_are_found_and_three_taken_away_are_missed(pairs, draw):
    rng = np.random.default_rng((0, draw))
    for answers, verdicts in zip(pairs, (("mixed", "does not hold"), ("holds", "equivalent")), strict=True):
        before, after, less = (
            contrast([each], 0, 1) for each in (answers, planted(answers, POINTS, rng), planted(answers, -POINTS, rng))
        )
        assert after[0].value - before[0].value == pytest.approx(0.03, abs=0.002)  # whole clips of 320
        assert before[0].value - less[0].value == pytest.approx(0.03, abs=0.002)
        assert (verdict_alone(after), verdict_alone(less)) == verdicts


def test_the_exact_p_agrees_with_the_verdicts(pairs):
    """Both differences are verdicts of their own by t, the first at p = 0.020."""
    baselines, larger = map(exact_p, pairs)
    assert 0.01 < baselines < 0.05 and larger < 0.01
    alike = [(np.stack([np.eye(4), np.eye(4)]), np.arange(4))]
    assert exact_p(alike) == 1
    always = [(np.stack([np.ones((4, 2)), np.zeros((4, 2))]), np.arange(2))]
    assert exact_p(always) == 2 / 2**4
