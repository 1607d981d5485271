"""Frame sampling: indices inside the video, in order, covering it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.seeding import generator
from multitrain.data.sampling import dense, random_start, segments, span, view_starts

FRAMES, COUNT, STRIDE = st.integers(1, 400), st.integers(1, 33), st.sampled_from([1, 2, 3])


@given(FRAMES, COUNT, STRIDE, st.integers(0, 10_000))
def test_dense_clips_are_in_range_in_order_and_on_the_grid(frames, count, stride, seed):
    start = random_start(frames, count, stride, np.random.default_rng(seed), grid=stride)
    indices = dense(frames, count, stride, start, grid=stride)
    assert indices.shape == (count,)
    assert indices.min() >= 0 and indices.max() < frames
    assert (indices % stride == 0).all()
    steps = np.diff(indices)
    assert ((steps == stride) | (steps == 0)).all()
    if frames >= span(count, stride):  # nothing is repeated where the video is long enough
        assert (steps == stride).all()


@given(FRAMES, COUNT, st.integers(0, 10_000))
def test_segments_take_one_frame_of_each_equal_part(frames, count, seed):
    for indices in (segments(frames, count, np.random.default_rng(seed)), segments(frames, count)):
        assert indices.shape == (count,)
        edges = np.linspace(0, frames, count + 1)
        assert (indices >= np.floor(edges[:-1])).all() and (indices <= edges[1:]).all()
        assert indices.max() < frames
        assert (np.diff(indices) >= 0).all()


@given(FRAMES, COUNT, STRIDE, st.integers(1, 10))
def test_views_cover_the_video_from_its_start_to_its_end(frames, count, stride, views):
    starts = view_starts(frames, count, stride, views, grid=1)
    room = max(frames - span(count, stride), 0)
    assert len(starts) == views and all(0 <= start <= room for start in starts)
    if views > 1:
        assert starts[0] == 0
        assert room - starts[-1] < views - 1 or (views == 2 and starts[-1] == room)  # floor leaves less than a step
        gaps = np.diff(starts)
        assert (gaps == room // (views - 1)).all()
    else:
        assert starts == [room // 2]


def test_views_as_the_release_places_them():
    assert view_starts(300, 32, 3, 5, grid=1) == [i * ((300 - 94) // 4) for i in range(5)]
    assert view_starts(300, 32, 3, 5, grid=3) == [0, 51, 102, 153, 204]


def test_every_start_is_drawn_about_equally_often():
    rng = np.random.default_rng(0)
    starts = [random_start(40, 8, 3, rng, grid=3) for _ in range(7000)]
    values, counts = np.unique(starts, return_counts=True)
    assert values.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert counts.min() > 850 and counts.max() < 1150


def test_named_streams_are_independent_and_stable():
    assert generator(0, "clip", 1, 2).integers(1 << 30) == generator(0, "clip", 1, 2).integers(1 << 30)
    keys = [(0, "a", 1), (0, "a", 2), (1, "a", 1), (0, "a1"), (0, "a")]
    drawn = {int(generator(*key).integers(1 << 60)) for key in keys}
    assert len(drawn) == 5


@pytest.mark.parametrize(("frames", "expected"), [(1, [0, 0, 0, 0]), (4, [0, 3, 3, 3]), (5, [0, 3, 3, 3])])
def test_a_short_video_repeats_its_last_frame_on_the_grid(frames, expected):
    assert dense(frames, 4, 3, 0, grid=3).tolist() == expected
