"""Cost of one forward pass of one clip, in the convention of the paper's gFLOPs column.

Multiply-accumulates of convolutions, linear layers and both attention products, plus 5 per element of each LayerNorm.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from multitrain.config.scale import Model, Scale
from multitrain.model.mvit import MViT

__all__ = ["cost", "costs", "model_cost"]

LAYER_NORM = 5  # operations an element


@dataclass(frozen=True)
class Cost:
    """One size of a scale's model."""

    size: str  # base or large
    pixels: int
    frames: int
    gflops: float
    convolution: float  # the four kinds that make up gflops
    linear: float
    attention: float
    layer_norm: float
    backbone_parameters: int


def _count(backbone: MViT, clip: torch.Tensor) -> dict[str, float]:
    """Operations by kind, in G."""
    elements = 0

    def add(_module: nn.Module, inputs: tuple[torch.Tensor], _output: torch.Tensor) -> None:
        nonlocal elements
        elements += inputs[0].numel()

    hooks = [m.register_forward_hook(add) for m in backbone.modules() if isinstance(m, nn.LayerNorm)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(clip)
    for hook in hooks:
        hook.remove()
    kinds = {"convolution": 0.0, "linear": 0.0, "attention": 0.0, "layer_norm": LAYER_NORM * elements / 1e9}
    for operator, operations in counter.get_flop_counts()["Global"].items():
        name = str(operator)
        kind = "convolution" if "conv" in name else "linear" if "mm" in name and "bmm" not in name else "attention"
        kinds[kind] += operations / 2 / 1e9  # the counter takes a multiply-accumulate as two operations
    return kinds


def cost(scale: Scale, size: Literal["base", "large"]) -> Cost:
    """The cost of one clip of that size; no memory is used, whatever the model's."""
    return model_cost(scale.model, scale.sizes[size], size)


def model_cost(model: Model, pixels: int, size: str = "") -> Cost:
    """The cost of one clip of so many pixels a side; `size` is what the scale calls it."""
    kinds, parameters = _counted(model, pixels)
    return Cost(size, pixels, model.frames, sum(kinds.values()), **kinds, backbone_parameters=parameters)


@cache
def _counted(model: Model, pixels: int) -> tuple[dict[str, float], int]:
    """Operations by kind, in G, and the number of weights of the backbone."""
    with torch.device("meta"):
        backbone = MViT(model, pixels).eval()
        kinds = _count(backbone, torch.empty(1, 3, model.frames, pixels, pixels))
    return kinds, sum(parameter.numel() for parameter in backbone.parameters())


def costs(scale: Scale) -> list[dict]:
    """Every size of a scale, as plain values."""
    return [asdict(cost(scale, size)) for size in scale.sizes]
