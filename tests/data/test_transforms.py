"""Crops and flips on clips whose pixels tell where they came from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multitrain.data.transforms import as_frames, augment, random_box, view_crops


def ramp(height: int, width: int, frames: int = 2) -> torch.Tensor:
    """(T, 3, H, W): red is the column, green the row, blue the frame."""
    clip = np.zeros((frames, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(width)[None, None, :]
    clip[..., 1] = np.arange(height)[None, :, None]
    clip[..., 2] = np.arange(frames)[:, None, None]
    return as_frames(clip)


@given(st.integers(8, 300), st.integers(8, 300), st.integers(0, 10_000))
def test_a_random_box_lies_inside_and_has_the_asked_area_and_aspect(height, width, seed):
    top, left, h, w = random_box(height, width, (0.3, 0.9), (0.75, 4 / 3), np.random.default_rng(seed))
    assert 0 <= top <= height - h and 0 <= left <= width - w and h > 0 and w > 0
    if 0.75 <= width / height <= 4 / 3 and min(height, width) > 60:
        assert 0.27 <= h * w / (height * width) <= 0.93
        assert 0.7 <= w / h <= 1.45


def test_one_crop_for_all_frames_and_the_frame_order_is_kept():
    clip = augment(ramp(90, 120, 4), 48, (0.3, 0.5), (0.75, 1.33), True, np.random.default_rng(3))
    assert clip.shape == (4, 3, 48, 48) and clip.dtype == torch.uint8
    assert torch.equal(clip[0, :2], clip[3, :2])
    assert clip[:, 2].amax((1, 2)).tolist() == clip[:, 2].amin((1, 2)).tolist() == [0, 1, 2, 3]


def test_flip_mirrors_half_the_clips_and_never_where_it_is_off():
    def leftmost_is_larger(seed, flip):
        clip = augment(ramp(60, 60), 32, (0.9, 1.0), (1, 1), flip, np.random.default_rng(seed))
        return bool(clip[0, 0, 0, 0] > clip[0, 0, 0, -1])

    assert sum(leftmost_is_larger(seed, True) for seed in range(200)) in range(75, 126)
    assert not any(leftmost_is_larger(seed, False) for seed in range(50))


def test_one_view_is_the_centre_at_256_over_224():
    (crop,) = view_crops(ramp(64, 128), 56, 1)
    assert crop.shape == (2, 3, 56, 56)
    columns = crop[0, 0].float().mean(0)
    assert columns[27:29].mean().item() == pytest.approx(63.5, abs=1)
    assert columns[0].item() == pytest.approx(36, abs=1.5)


@pytest.mark.parametrize(("shape", "channel"), [((56, 112), 0), ((112, 56), 1)])
def test_three_views_reach_both_ends_of_the_longer_side(shape, channel):
    crops = view_crops(ramp(*shape), 56, 3)
    assert [tuple(crop.shape) for crop in crops] == [(2, 3, 56, 56)] * 3
    assert crops[0][0, channel].min() == 0 and crops[2][0, channel].max() == 111
    assert crops[1][0, channel].float().mean().item() == pytest.approx(55.5, abs=0.6)
