"""Recovery of planted relations, of none, and the laws of chance and of ties."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.analysis.projections.ranking import PERMUTATIONS, recover


def diagonal(rows: int, columns: int) -> np.ndarray:
    related = np.zeros((rows, columns), dtype=bool)
    np.fill_diagonal(related, val=True)
    return related


def by_hand(order: np.ndarray) -> tuple[float, float]:
    """Precision of the first five and average precision of related flags in order, as the textbooks define them."""
    places = np.flatnonzero(order) + 1
    top = min(5, len(order))
    return order[:top].sum() / top, float(np.mean(np.arange(1, len(places) + 1) / places))


def test_planted_relations_are_recovered():
    related = diagonal(9, 12)
    weight = related + np.random.default_rng(0).normal(0, 0.2, related.shape)
    found = recover(weight, related, 0, "planted")
    assert found.precision_at_5 == 1
    assert found.average_precision > 0.95
    assert found.p_value == 1 / (1 + PERMUTATIONS)
    assert (found.pairs, found.related, found.permutations) == (108, 9, PERMUTATIONS)
    assert found.chance == 9 / 108


def test_a_transposed_matrix_recovers_nothing():
    related = np.zeros((6, 6), dtype=bool)
    related[0, 1:] = True  # target class 0 has every other source
    found = recover(related.astype(float), related, 0)
    turned = recover(related.T.astype(float), related, 0)
    assert found.precision_at_5 == 1
    assert turned.precision_at_5 == 0
    assert turned.average_precision < 0.3


def test_small_numbers_by_hand():
    weight = np.array([[0.9, 0.5, -2.0], [0.1, 0.7, 0.3]])
    related = np.array([[False, True, True], [False, True, False]])
    found = recover(weight, related, 0)  # places of the related: 2, 3, 6
    assert found.average_precision == pytest.approx((1 / 2 + 2 / 3 + 3 / 6) / 3)
    assert found.precision_at_5 == pytest.approx(2 / 5)
    assert recover(weight[:, :1], np.array([[True], [False]]), 0).precision_at_5 == 0.5  # of two pairs


def test_a_large_negative_weight_is_last():
    related = np.array([[True, False, False, False, False, False]])
    assert recover(np.array([[-9.0, 1, 2, 3, 4, 5]]), related, 0).average_precision == pytest.approx(1 / 6)


@settings(max_examples=60)
@given(data=st.data())
def test_ties_count_as_the_mean_over_their_orders(data):
    """Against every order of up to seven pairs that the weights allow."""
    size = data.draw(st.integers(2, 7))
    weight = np.array(data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)), dtype=float)
    related = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any)))
    orders = [np.array(order) for order in permutations(range(size)) if all(np.diff(weight[np.array(order)]) <= 0)]
    precision, average = np.mean([by_hand(related[order]) for order in orders], axis=0)
    found = recover(weight[None], related[None], 0)
    assert found.precision_at_5 == pytest.approx(precision)
    assert found.average_precision == pytest.approx(average)


def test_equal_weights_are_worth_what_chance_is():
    found = recover(np.zeros((7, 8)), diagonal(7, 8), 0)
    assert found.precision_at_5 == pytest.approx(found.chance)
    assert found.average_precision == pytest.approx(found.chance_average_precision)
    assert found.p_value == 1


def test_chance_is_the_mean_over_random_weights():
    related = diagonal(7, 8)
    rng = np.random.default_rng(0)
    drawn = [by_hand(related.ravel()[np.argsort(rng.random(56))]) for _ in range(20000)]
    precision, average = np.mean(drawn, axis=0)
    found = recover(rng.random((7, 8)), related, 0)
    assert found.chance == pytest.approx(precision, abs=0.003)  # four standard errors of 20,000 draws
    assert found.chance_average_precision == pytest.approx(average, abs=0.003)
    assert found.chance_average_precision > 1.2 * found.chance


@pytest.mark.parametrize("structured", [False, True])
def test_p_of_weights_that_know_nothing_is_uniform(structured: bool):
    """Also where some classes have all the large weights; shuffling single pairs would take that for knowledge."""
    related = diagonal(8, 9)
    related[:, 2] = True
    rng = np.random.default_rng(5)
    values = []
    for draw in range(300):
        weight = rng.normal(size=related.shape)
        if structured:
            weight += 3 * rng.normal(size=(1, 9)) + 3 * rng.normal(size=(8, 1))
        values.append(recover(weight, related, draw).p_value)
    low, middle = np.mean(np.array(values) <= 0.1), np.mean(np.array(values) <= 0.5)
    assert 0.04 <= low <= 0.16  # 0.1, less 3.5 standard errors of 300 draws
    assert 0.4 <= middle <= 0.6


def test_p_counts_every_permutation_that_does_as_well():
    """Exactly: of the 36 permutations of a 3 x 3 matrix, 1 in 6 keeps its diagonal on the diagonal."""
    related = diagonal(3, 3)
    assert recover(np.eye(3), related, 0).p_value == pytest.approx(1 / 6, abs=0.03)


@pytest.mark.parametrize("shape", [(8, 1), (1, 8)])
def test_both_sources_and_targets_are_permuted(shape):
    weight = np.arange(8.0)[::-1].reshape(shape)
    assert recover(weight, weight == 7, 0).p_value == pytest.approx(1 / 8, abs=0.03)


def test_without_related_classes_there_is_nothing_to_say():
    found = recover(np.ones((3, 4)), np.zeros((3, 4), dtype=bool), 0)
    assert (found.related, found.chance, found.permutations) == (0, 0, 0)
    assert found.precision_at_5 is found.average_precision is found.p_value is found.chance_average_precision is None


def test_the_draws_depend_on_names_alone():
    rng = np.random.default_rng(1)
    weight, related = rng.normal(size=(6, 7)), diagonal(6, 7)
    assert recover(weight, related, 0, "a") == recover(weight, related, 0, "a")
    several = {recover(weight, related, 0, name).p_value for name in "abcdef"}
    assert len(several) > 1
