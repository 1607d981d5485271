"""GFLOPs of a forward pass of one clip, counted as in the paper's column, and the passes of a training step.

Multiply-accumulates of convolutions, linear layers and both attention products, plus 5 per element of each LayerNorm.
"""

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from multitrain.config.experiments import Experiments, Run
from multitrain.config.model_settings import Model
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale
from multitrain.model.backbones.build import build_backbone, without_memory

__all__ = ["cost", "costs", "model_cost", "passes"]

LAYER_NORM = 5  # operations an element
FORWARD_BACKWARD = 3  # forward passes that a forward and a backward pass cost together


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
    backbone: str | None = None  # of the runs that name one; None: the scale's model


def _count(backbone: nn.Module, clip: torch.Tensor) -> dict[str, float]:
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


def cost(scale: Scale, size: Literal["base", "large"], backbone: str | None = None) -> Cost:
    """The cost of one clip of that size, with the scale's model or another backbone."""
    model = scale.model if backbone is None else scale.model.with_backbone(scale.backbone_of(backbone))
    return replace(model_cost(model, scale.sizes[size], size), backbone=backbone)


def model_cost(model: Model, pixels: int, size: str = "") -> Cost:
    """The cost of one clip of so many pixels a side; `size` is the scale's name of it."""
    kinds, parameters = _counted(model.model_copy(update={"backbone_weights": None}), pixels)
    return Cost(
        size=size,
        pixels=pixels,
        frames=model.frames,
        gflops=sum(kinds.values()),
        convolution=kinds["convolution"],
        linear=kinds["linear"],
        attention=kinds["attention"],
        layer_norm=kinds["layer_norm"],
        backbone_parameters=parameters,
    )


@cache
def _counted(model: Model, pixels: int) -> tuple[dict[str, float], int]:
    """Operations by kind, in G, and the number of weights of the backbone."""

    def count() -> tuple[nn.Module, dict[str, float]]:
        backbone = build_backbone(model, pixels).eval()
        return backbone, _count(backbone, torch.empty(1, 3, model.frames, pixels, pixels))

    backbone, kinds = without_memory(model, count)
    return kinds, sum(parameter.numel() for parameter in backbone.parameters())


def passes(scale: Scale, run: Run, recipe: Recipe, parts: int) -> int:
    """Arithmetic of a training step of so many micro-batches, in forward passes of the backbone.

    Checkpointing adds one, and so do the statistics of a whole batch that is computed in parts.
    """
    again = run.size in scale.machine.checkpointing
    ahead = run.informative and recipe.informative_statistics == "batch" and parts > 1
    return FORWARD_BACKWARD + again + ahead


def costs(scale: Scale, experiments: Experiments) -> list[dict]:
    """The costs of a scale's model sizes and further backbones of runs and scale, as plain values."""
    others = dict.fromkeys([*scale.backbones, *filter(None, (run.backbone for run in experiments.runs.values()))])
    found = [asdict(cost(scale, size, name)) for name in (None, *others) for size in scale.sizes]
    return [{key: value for key, value in each.items() if key != "backbone" or value} for each in found]
