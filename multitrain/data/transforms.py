"""Augmentation and test crops of clips (T, 3, H, W) uint8; all randomness is from a given generator."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multitrain.config.model_settings import PIXEL_MEAN, PIXEL_STD
from multitrain.config.recipes import Recipe
from multitrain.data.randaugment import apply_operations, draw_operations

__all__ = ["as_frames", "augment", "view_crops"]

ERASED_AREA, ERASED_ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)


def as_frames(clip: np.ndarray) -> Tensor:
    """(T, H, W, 3) array to a (T, 3, H, W) tensor that shares its memory."""
    return torch.from_numpy(clip).permute(0, 3, 1, 2)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, antialiased scaling of uint8 frames, as torchvision's, whose import takes a second."""
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


def random_square(
    height: int, width: int, part: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """(top, left, side, side) of a square anywhere in the frame whose side is a drawn part of the shorter one."""
    side = max(round(min(height, width) * rng.uniform(*part)), 1)
    return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side, side


def augment(frames: Tensor, size: int, recipe: Recipe, flip: bool, rng: np.random.Generator) -> Tensor:
    """Augment frames (T, 3, H, W) to a training clip (T, 3, size, size), a new tensor.

    In the order of the release: RandAugment on whole frames, random resized crop or square, with `flip` a horizontal
    flip with probability 1/2, random erasing; each the same in all frames.
    """
    height, width = frames.shape[-2:]
    if recipe.crop_square:
        box = random_square(height, width, recipe.crop_square, rng)
    else:
        box = random_box(height, width, recipe.crop_area, recipe.crop_aspect, rng)
    top, left, height, width = box
    if recipe.randaugment:
        frames = apply_operations(frames, draw_operations(recipe.randaugment, rng), box)
    else:
        frames = frames[..., top : top + height, left : left + width]
    frames = resize(frames, size, size)
    frames = frames.flip(-1) if flip and rng.random() < 0.5 else frames
    return erase(frames, rng) if recipe.erasing and rng.random() < recipe.erasing else frames


def erase(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """Random erasing: noise in one random box of all frames, drawn for every pixel of each frame.

    The noise is N(0, 1) in the network's input as in the release; as pixels before normalisation it is rounded, and cut
    off at black and white, 2.0 and 2.4 deviations from the mean.
    """
    height, width = frames.shape[-2:]
    top, left, height, width = random_box(height, width, ERASED_AREA, ERASED_ASPECT, rng)
    noise = rng.standard_normal((*frames.shape[:2], height, width), dtype=np.float32)
    pixels = ((noise * PIXEL_STD + PIXEL_MEAN) * 255).round().clip(0, 255).astype(np.uint8)
    frames = frames.clone()
    frames[..., top : top + height, left : left + width] = torch.from_numpy(pixels)
    return frames


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
