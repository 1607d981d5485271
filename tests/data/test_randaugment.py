"""RandAugment: every operation against torchvision's, and properties of all of them."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multitrain.config.recipes import RandAugment
from multitrain.data.randaugment import NAMES, OF_PIXELS, OF_PLACES, Operation, apply_operations, draw_operations

HEIGHT, WIDTH = 40, 56
WHOLE = (0, 0, HEIGHT, WIDTH)
INCREASING = set(NAMES) - {"invert", "autocontrast", "equalize", "posterize"}  # nothing at magnitude 0


def picture(seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8, smooth, without black and white."""
    small = np.random.default_rng(seed).integers(20, 230, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def clip(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def applied(name: str, magnitude: float, frame: np.ndarray) -> torch.Tensor:
    """(3, H, W) after one operation."""
    return apply_operations(clip(frame), [Operation(name, magnitude)], WHOLE)[0]


def expected(name: str, m: float, frame: np.ndarray) -> torch.Tensor:
    """The result (3, H, W) of torchvision with the release's argument for the signed magnitude m."""
    from torchvision.transforms.v2 import functional as F

    tensor, image = clip(frame)[0], Image.fromarray(frame)
    enhanced, level = 1 + 0.9 * m / 10, abs(m) / 10
    if name == "solarize_add":
        lighter = (tensor.int() + int(level * 110)).clamp(max=255)
        return torch.where(tensor < 128, lighter, tensor).byte()
    of_tensor = {
        "autocontrast": F.autocontrast,
        "equalize": F.equalize,
        "invert": F.invert,
        "posterize": lambda x: F.posterize(x, max(4 - int(level * 4), 1)),
        "solarize": lambda x: F.solarize(x, min(256 - int(level * 256), 255)),
        "color": lambda x: F.adjust_saturation(x, enhanced),
        "contrast": lambda x: F.adjust_contrast(x, enhanced),
        "brightness": lambda x: F.adjust_brightness(x, enhanced),
        "sharpness": lambda x: F.adjust_sharpness(x, enhanced),
    }
    if name in of_tensor:
        return of_tensor[name](tensor)
    share = 0.45 * m / 10
    shear, corner = math.degrees(math.atan(0.3 * m / 10)), [0.0, 0.0]
    angle, move, sheared, centre = {
        "rotate": (-3.0 * m, (0, 0), (0, 0), None),
        "shear_x": (0, (0, 0), (shear, 0), corner),
        "shear_y": (0, (0, 0), (0, shear), corner),
        "translate_x": (0, (-share * WIDTH, 0), (0, 0), corner),
        "translate_y": (0, (0, -share * HEIGHT), (0, 0), corner),
    }[name]
    how = {"interpolation": F.InterpolationMode.BICUBIC, "fill": [128, 128, 128], "center": centre}
    return clip(np.asarray(F.affine(image, angle, move, 1.0, sheared, **how)))[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("magnitude", [-9.0, -3.3, 0.0, 4.0, 7.0, 10.0])
def test_an_operation_is_torchvisions(name, magnitude):
    frame = picture()
    apart = (applied(name, magnitude, frame).int() - expected(name, magnitude, frame).int()).abs()
    assert apart.max() <= (2 if name in {"color", "contrast", "sharpness"} else 1)
    assert apart.float().mean() < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_only_increasing_operations_leave_a_clip_alone_at_magnitude_0(name):
    frame = picture()
    assert torch.equal(applied(name, 0.0, frame), clip(frame)[0]) is (name in INCREASING)


@pytest.mark.parametrize("name", sorted(INCREASING | {"posterize"}))
def test_the_effect_grows_with_the_magnitude(name):
    frame = picture()
    unit = 0.2 if name in OF_PLACES else 1.0  # a shift beyond the picture's pattern is no larger
    made = [applied(name, unit * m, frame).int() for m in (1, 5, 10)]
    strength = [(frames - clip(frame)[0].int()).abs().float().mean().item() for frames in made]
    assert strength[0] < strength[1] < strength[2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_equal_frames_stay_equal_and_the_generator_decides_alone(seed):
    frames = clip(picture(), picture(), picture(1))
    drawn = draw_operations(RandAugment(), np.random.default_rng(seed))
    assert drawn == draw_operations(RandAugment(), np.random.default_rng(seed))
    made = apply_operations(frames, drawn, WHOLE)
    assert made.dtype == torch.uint8 and made.shape == frames.shape
    assert torch.equal(made[0], made[1])
    assert torch.equal(apply_operations(frames[2:], drawn, WHOLE)[0], made[2])
    assert torch.equal(frames, clip(picture(), picture(), picture(1)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_working_on_the_box_alone_gives_the_box_of_the_whole(seed, operations):
    rng = np.random.default_rng(seed)
    drawn = draw_operations(RandAugment(operations=operations, probability=1.0), rng)
    top, left = int(rng.integers(20)), int(rng.integers(30))
    box = (top, left, int(rng.integers(1, HEIGHT - top)), int(rng.integers(1, WIDTH - left)))
    whole = apply_operations(clip(picture(seed)), drawn, WHOLE)
    there = whole[..., top : top + box[2], left : left + box[3]]
    assert torch.equal(apply_operations(clip(picture(seed)), drawn, box), there)


def test_operations_of_pixels_look_at_no_other_pixel():
    frame, other = picture(), picture(1).copy()
    other[3, 5] = frame[3, 5]
    for name in OF_PIXELS:
        assert torch.equal(applied(name, 7.0, frame)[:, 3, 5], applied(name, 7.0, other)[:, 3, 5])


def test_operations_magnitudes_and_signs_have_their_frequencies():
    rng, clips = np.random.default_rng(0), 4000
    drawn = [draw_operations(RandAugment(), rng) for _ in range(clips)]
    counts = Counter(len(operations) for operations in drawn)
    for applied, share in enumerate((1, 4, 6, 4, 1)):  # of 4 drawn, each with probability 1/2
        assert counts[applied] / clips == pytest.approx(share / 16, abs=0.02)
    names = Counter(operation.name for operations in drawn for operation in operations)
    assert set(names) == set(NAMES) and len(NAMES) == 15
    for count in names.values():
        assert count / clips == pytest.approx(2 / 15, abs=0.025)
    magnitudes = np.array([operation.magnitude for operations in drawn for operation in operations])
    assert (magnitudes > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert np.abs(magnitudes).mean() == pytest.approx(7.0, abs=0.03)
    assert np.abs(magnitudes).std() == pytest.approx(0.5, abs=0.03)
    assert np.abs(magnitudes).max() <= 10


@pytest.mark.parametrize(("magnitude", "end"), [(0.0, 0.0), (10.0, 10.0)])
def test_a_magnitude_ends_at_0_and_10(magnitude, end):
    chosen = RandAugment(operations=200, magnitude=magnitude, std=3.0, probability=1.0)
    found = np.abs([operation.magnitude for operation in draw_operations(chosen, np.random.default_rng(0))])
    assert (found == end).mean() == pytest.approx(0.5, abs=0.15) and found.min() >= 0 and found.max() <= 10
