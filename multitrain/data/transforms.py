"""Crops, flip and scaling of clips (T, H, W, 3) uint8, with all randomness from a given generator."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def as_frames(clip: np.ndarray) -> Tensor:
    """(T, H, W, 3) array to a (T, 3, H, W) tensor that shares its memory."""
    return torch.from_numpy(clip).permute(0, 3, 1, 2)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, antialiased scaling of uint8 frames; torchvision's, without the second that its import takes."""
    return F.interpolate(frames, (height, width), mode="bilinear", antialias=True)


def random_box(
    height: int, width: int, area: tuple[float, float], aspect: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a crop whose area and aspect ratio are drawn as in Inception's resized crop.

    After ten draws that do not fit, the largest centred box within the range of aspect ratios.
    """
    for _ in range(10):
        size = height * width * rng.uniform(*area)
        ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
        w, h = round(math.sqrt(size * ratio)), round(math.sqrt(size / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    w = min(width, round(height * aspect[1]))
    h = min(height, round(width / aspect[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def augment(
    frames: Tensor,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    flip: bool,
    rng: np.random.Generator,
) -> Tensor:
    """A random resized crop, the same in all frames, and where `flip`, mirrored half the time: (T, 3, size, size)."""
    top, left, height, width = random_box(*frames.shape[-2:], area, aspect, rng)
    frames = resize(frames[..., top : top + height, left : left + width], size, size)
    return frames.flip(-1) if flip and rng.random() < 0.5 else frames


def view_crops(frames: Tensor, size: int, crops: int) -> list[Tensor]:
    """The test protocol's spatial views, each (T, 3, size, size).

    One: short side to size * 256 / 224, centre crop. Three: short side to size, crops at both ends and the middle of
    the longer side.
    """
    height, width = frames.shape[-2:]
    short = size if crops == 3 else round(size * 256 / 224)
    scale = short / min(height, width)
    height, width = max(round(height * scale), short), max(round(width * scale), short)
    frames = resize(frames, height, width)
    places = (0.5,) if crops == 1 else (0.0, 0.5, 1.0)
    along_width = width >= height
    boxes = [
        (
            round((height - size) * (0.5 if along_width else place)),
            round((width - size) * (place if along_width else 0.5)),
        )
        for place in places
    ]
    return [frames[..., top : top + size, left : left + size] for top, left in boxes]
