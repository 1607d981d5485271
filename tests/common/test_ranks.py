"""Ranks of the true class, top-k, and the answer of a clip."""

import numpy as np
import pytest

from multitrain.common.errors import UserError
from multitrain.common.ranks import answers, ranks, top


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
    scores = np.array([[0.5, 0.5], [bad, 0.5], [bad, 0.3], [0.1, 0.9]])  # one column, two clips
    with pytest.raises(UserError, match="2 clips have scores that are not finite"):
        ranks(scores, np.array([0, 0, 0, 0]))


def test_the_answer_to_a_tie_is_another_class():
    scores = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    assert answers(scores, np.array([0, 1, 2])).tolist() == [1, 0, 2]
    assert answers(np.zeros((1, 1)), np.array([0])).tolist() == [0]


def test_the_answer_is_never_the_own_class_where_another_ranks_before_it():
    scores = np.array([[-3.0, -1.0, -2.0]], dtype=np.float32)  # logits below 0
    assert answers(scores, np.array([0])).tolist() == [1]
