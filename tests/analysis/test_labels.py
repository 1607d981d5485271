"""Names in figures: without overlap, inside, and short."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.analysis.figures import figure_style
from multitrain.analysis.figures.cost import separated


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.3))
def test_names_keep_apart_and_inside(heights: list[float], gap: float):
    ordered = np.array(sorted(heights, reverse=True))
    moved = separated(ordered, gap)
    least = min(gap, 1 / max(len(heights) - 1, 1))
    assert (np.diff(moved) <= -least + 1e-9).all()
    assert ((moved >= -1e-9) & (moved <= 1 + 1e-9)).all()
    if len(ordered) and (np.diff(ordered) <= -least).all():
        np.testing.assert_allclose(moved, ordered, atol=1e-9)


def test_names_that_meet_stay_about_their_mean():
    np.testing.assert_allclose(separated(np.array([0.5, 0.5, 0.5]), 0.1), [0.6, 0.5, 0.4])


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("jogging", 7, "jogging"),
        ("Pushing something from left to right", 30, "Pushing sth from left to right"),
        ("abcdefghijklmnop", 7, "abcd…op"),
    ],
)
def test_long_names_are_cut_in_the_middle(text: str, width: int, short: str):
    assert figure_style.shorten(text, width) == short
    assert len(short) <= width
    assert figure_style.note_if_shortened(["a", text], width) == [figure_style.SHORTENED] * (short != text)
