"""RandAugment of clips: random image operations, the same for all frames of a clip.

The set, the ranges and the order are those of `rand-m7-n4-mstd0.5-inc1` in timm, which the release applies to whole
frames before it crops them; bicubic, filled with grey. The operations are Pillow's, as there: contrast operations take
statistics of each frame.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from multitrain.config.recipes import RandAugment

__all__ = ["apply_operations", "draw_operations"]

Box = tuple[int, int, int, int]  # top, left, height, width in pixels
GREY = (128, 128, 128)
LARGEST = 10.0  # magnitude


def _enhance(kind: type) -> Callable[[Image.Image, float], Image.Image]:
    return lambda image, m: kind(image).enhance(1 + 0.09 * m)


def _solarize_add(image: Image.Image, m: float) -> Image.Image:
    added = int(11 * m)
    return image.point([min(value + added, 255) if value < 128 else value for value in range(256)] * 3)


# Operations on an image by a signed magnitude m, -10..10; the sign is used where an effect has two directions.
OF_PIXELS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "invert": lambda image, m: ImageOps.invert(image),
    "posterize": lambda image, m: ImageOps.posterize(image, max(4 - int(0.4 * abs(m)), 1)),
    "solarize": lambda image, m: ImageOps.solarize(image, 256 - int(25.6 * abs(m))),
    "solarize_add": lambda image, m: _solarize_add(image, abs(m)),
    "color": _enhance(ImageEnhance.Color),
    "brightness": _enhance(ImageEnhance.Brightness),
}
OF_FRAMES: dict[str, Callable[[Image.Image, float], Image.Image]] = {  # a pixel depends on others of its frame
    "autocontrast": lambda image, m: ImageOps.autocontrast(image),
    "equalize": lambda image, m: ImageOps.equalize(image),
    "contrast": _enhance(ImageEnhance.Contrast),
    "sharpness": _enhance(ImageEnhance.Sharpness),
}


def _rotation(m: float, width: int, height: int) -> tuple[float, ...]:
    """Rotation about the centre by -3 m degrees, as `OF_PLACES`."""
    angle = math.radians(-3 * m)
    cos, sin, x, y = math.cos(angle), math.sin(angle), width / 2, height / 2
    return cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y


# Where an output pixel (x, y) comes from: (a x + b y + c, d x + e y + f), by m, width and height.
OF_PLACES: dict[str, Callable[[float, int, int], tuple[float, ...]]] = {
    "rotate": _rotation,
    "shear_x": lambda m, width, height: (1, 0.03 * m, 0, 0, 1, 0),
    "shear_y": lambda m, width, height: (1, 0, 0, 0.03 * m, 1, 0),
    "translate_x": lambda m, width, height: (1, 0, 0.045 * m * width, 0, 1, 0),
    "translate_y": lambda m, width, height: (1, 0, 0, 0, 1, 0.045 * m * height),
}
NAMES = (*OF_PIXELS, *OF_FRAMES, *OF_PLACES)


@dataclass(frozen=True)
class Operation:
    """One operation with its signed magnitude, -10..10."""

    name: str
    magnitude: float

    def apply(self, image: Image.Image, box: Box | None = None) -> Image.Image:
        """Apply to an image; returns all of it, or only the box."""
        if self.name in OF_PLACES:
            top, left, height, width = box or (0, 0, image.height, image.width)
            a, b, c, d, e, f = OF_PLACES[self.name](self.magnitude, image.width, image.height)
            matrix = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
            size, bicubic = (width, height), Image.Resampling.BICUBIC
            return image.transform(size, Image.Transform.AFFINE, matrix, bicubic, fillcolor=GREY)
        image = (OF_PIXELS | OF_FRAMES)[self.name](image, self.magnitude)
        return crop(image, box) if box else image


def crop(image: Image.Image, box: Box) -> Image.Image:
    """The part of an image in a box."""
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height))


def draw_operations(settings: RandAugment, rng: np.random.Generator) -> list[Operation]:
    """Draw the operations of one clip, in order; each is applied with `probability`."""
    operations = []
    for name in rng.choice(NAMES, settings.operations).tolist():
        applied = rng.random() < settings.probability
        magnitude = min(max(rng.normal(settings.magnitude, settings.std), 0.0), LARGEST)
        sign = 1 if rng.random() < 0.5 else -1
        if applied:
            operations.append(Operation(name, sign * magnitude))
    return operations


def apply_operations(frames: Tensor, operations: Sequence[Operation], box: Box) -> Tensor:
    """The box of uint8 frames (T, 3, H, W) after the operations on whole frames: (T, 3, height, width).

    After the last operation that needs pixels outside the box, only the box is processed.
    """
    top, left, height, width = box
    whole = max((i + 1 for i, operation in enumerate(operations) if operation.name not in OF_PIXELS), default=0)
    if not whole:
        frames = frames[..., top : top + height, left : left + width]
    if not operations:
        return frames
    augmented = [_frame(frame, operations, whole, box) for frame in frames.permute(0, 2, 3, 1).contiguous().numpy()]
    return torch.from_numpy(np.stack(augmented)).permute(0, 3, 1, 2)


def _frame(frame: np.ndarray, operations: Sequence[Operation], whole: int, box: Box) -> np.ndarray:
    """One frame (H, W, 3) after the operations, cut to the box by the last of the `whole` first ones."""
    image = Image.fromarray(frame)
    for i, operation in enumerate(operations, start=1):
        image = operation.apply(image, box if i == whole else None)
    return np.asarray(image)
