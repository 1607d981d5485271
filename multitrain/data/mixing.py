"""Mixup and cutmix of a batch with its own reverse: one draw a step, for all clips of the step's whole batch."""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from multitrain.common.seeding import generator
from multitrain.config.recipes import Mixing

__all__ = ["Mix", "draw_mix", "mix_videos"]


@dataclass(frozen=True)
class Mix:
    """How a batch is mixed: mixup with lambda, or cutmix of a box whose area leaves lambda of the frame."""

    lam: float  # lambda, weight of the clip itself
    box: tuple[int, int, int, int] | None = None  # cutmix: top, left, height, width in pixels; may be empty


def draw_mix(mixing: Mixing | None, seed: int, step: int, size: int) -> Mix | None:
    """The mix of one step of clips of `size` pixels; None where nothing is mixed.

    lambda is drawn from Beta(alpha, alpha). The box has sqrt(1 - lambda) of the frame's sides around a uniform
    centre and is clipped at the frame, so its lambda is the part of the frame that is actually left.
    """
    if mixing is None:
        return None
    rng = generator(seed, "mix", step)
    if rng.random() >= mixing.probability:
        return None
    cut = mixing.cutmix > 0 and (not mixing.mixup or rng.random() < mixing.switch_probability)
    alpha = mixing.cutmix if cut else mixing.mixup
    lam = float(rng.beta(alpha, alpha))
    if not cut:
        return Mix(lam)
    box = _box(lam, size, rng)
    return Mix(1 - box[2] * box[3] / size**2, box)


def _box(lam: float, size: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a square of even side, at most sqrt(1 - lam) * size, cut off at the frame."""
    half = int(size * math.sqrt(1 - lam)) // 2
    ends = [(max(centre - half, 0), min(centre + half, size)) for centre in rng.integers(size, size=2).tolist()]
    (top, bottom), (left, right) = ends
    return top, left, bottom - top, right - left


def mix_videos(video: Tensor, mix: Mix) -> Tensor:
    """Normalised clips (B, 3, T, S, S) mixed with their reverse `video.flip(0)`, as a new tensor."""
    reverse = video.flip(0)
    if mix.box is None:
        return mix.lam * video + (1 - mix.lam) * reverse
    top, left, height, width = mix.box
    where = (..., slice(top, top + height), slice(left, left + width))
    video = video.clone()
    video[where] = reverse[where]
    return video
