"""Crops, flips and erasing, on clips whose pixels encode their position."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multitrain.config.recipes import RandAugment, Recipe
from multitrain.data.transforms import as_frames, augment, erase, random_box, random_square, view_crops


def recipe(**settings) -> Recipe:
    return Recipe(epochs=1, warmup_epochs=0, batch=2, lr=0.1, **settings)


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


def test_a_square_has_the_asked_part_of_the_shorter_side_and_is_anywhere():
    rng = np.random.default_rng(0)
    boxes = [random_square(240, 427, (0.7, 0.875), rng) for _ in range(2000)]
    tops, lefts, heights, widths = map(np.array, zip(*boxes, strict=True))
    assert (heights == widths).all() and (heights.min(), heights.max()) == (168, 210)
    assert heights.mean() == pytest.approx(189, abs=1)  # uniform, as the inverse of the release's size is
    assert tops.min() == lefts.min() == 0 and (tops + heights).max() == 240 and (lefts + widths).max() == 427
    assert random_square(3, 9, (0, 0.01), rng)[2:] == (1, 1)


def test_a_recipe_may_ask_for_squares():
    clip = augment(ramp(90, 240), 48, recipe(crop_square=(0.7, 0.7)), False, np.random.default_rng(1))
    columns, rows = clip[0, 0].float(), clip[0, 1].float()
    assert (columns.max() - columns.min()).item() == pytest.approx(63, abs=3)  # 0.7 of 90, and as wide as high
    assert (rows.max() - rows.min()).item() == pytest.approx(63, abs=3)


def test_one_crop_for_all_frames_and_the_frame_order_is_kept():
    clip = augment(ramp(90, 120, 4), 48, recipe(crop_area=(0.3, 0.5)), True, np.random.default_rng(3))
    assert clip.shape == (4, 3, 48, 48) and clip.dtype == torch.uint8
    assert torch.equal(clip[0, :2], clip[3, :2])
    assert clip[:, 2].amax((1, 2)).tolist() == clip[:, 2].amin((1, 2)).tolist() == [0, 1, 2, 3]


def test_flip_mirrors_half_the_clips_and_never_where_it_is_off():
    square = recipe(crop_area=(0.9, 1.0), crop_aspect=(1, 1))

    def leftmost_is_larger(seed, flip):
        clip = augment(ramp(60, 60), 32, square, flip, np.random.default_rng(seed))
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


def grey(frames: int = 4, side: int = 64) -> torch.Tensor:
    """Frames of a colour that erasing's noise hardly ever has in all three channels."""
    return torch.tensor([1, 2, 3], dtype=torch.uint8)[None, :, None, None].expand(frames, 3, side, side)


@given(st.integers(0, 10_000))
def test_erasing_changes_one_box_of_the_asked_area_in_all_frames(seed):
    frames = grey()
    clip = erase(frames, np.random.default_rng(seed))
    assert torch.equal(frames, grey()) and clip.dtype == torch.uint8
    changed = (clip != frames).any(1)  # (T, S, S)
    anywhere = changed.any(0)
    rows, columns = (torch.nonzero(anywhere.any(axis)).squeeze(1) for axis in (1, 0))
    height, width = (int(found[-1] - found[0]) + 1 for found in (rows, columns))
    box = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    assert changed[box].float().mean() > 0.99 and changed.sum() == changed[box].sum()
    assert 0.017 < height * width / 64**2 < 0.35
    assert not torch.equal(clip[0][box], clip[1][box])


def test_erased_pixels_are_normal_noise_in_the_networks_input():
    frames = grey(32, 112)
    clip = erase(frames, np.random.default_rng(0))
    noise = (clip[clip != frames].double() / 255 - 0.45) / 0.225
    inner = noise[(noise > -1.9) & (noise < 2.3)]
    assert len(noise) > 10_000 and noise.mean().abs() < 0.03 and noise.std() == pytest.approx(1.0, abs=0.04)
    for z, below in ((-1.0, 0.1587), (0.0, 0.5), (1.0, 0.8413)):
        assert (noise < z).double().mean().item() == pytest.approx(below, abs=0.01)
    assert len(inner) / len(noise) == pytest.approx(0.9606, abs=0.01)


def test_a_part_of_the_clips_is_erased_and_randaugment_comes_before_the_crop():
    plain, erased = recipe(), recipe(erasing=0.25)

    def clip(chosen, seed):
        return augment(ramp(60, 80, 3), 32, chosen, True, np.random.default_rng(seed))

    changed = [not torch.equal(clip(plain, seed), clip(erased, seed)) for seed in range(200)]
    assert sum(changed) in range(30, 72)
    still = recipe(randaugment=RandAugment(probability=0.0))
    one, other = (augment(ramp(60, 80, 3), 32, chosen, False, np.random.default_rng(5)) for chosen in (plain, still))
    assert torch.equal(one, other)  # the box is drawn first: the same crop with and without operations


@pytest.mark.parametrize("settings", [{}, {"randaugment": RandAugment(probability=1.0), "erasing": 1.0}])
def test_a_clip_depends_on_the_generator_alone_and_the_frames_are_left_alone(settings):
    frames = ramp(60, 80, 3)
    clips = [augment(frames, 32, recipe(**settings), True, np.random.default_rng(1)) for _ in range(2)]
    assert torch.equal(*clips) and clips[0].shape == (3, 3, 32, 32) and clips[0].dtype == torch.uint8
    assert torch.equal(frames, ramp(60, 80, 3))
