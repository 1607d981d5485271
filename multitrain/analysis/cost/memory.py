"""Peak memory of a training step, counted on the model itself with tensors that have shapes but no data.

At the peak, as the backward pass begins, there are the weights, their gradients, the optimiser's states, and for each
clip of a micro-batch every tensor that autograd saved for the backward pass: all of them, or where activations are
computed again the input of each block, what the largest block saves, and the first gradients of its own backward pass.
For other backbones than mvit a whole step is run on such tensors, and its peak is divided among the clips.
docs/reference/estimate.md compares it with measurements.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from multitrain.config.experiments import Run
from multitrain.config.model_settings import MVIT, Model
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale
from multitrain.model.attention import Block
from multitrain.model.backbones.build import build_backbone, without_memory
from multitrain.model.backbones.mvit import MViT
from multitrain.model.network import Network, Spec

__all__ = ["WEIGHT", "PeakTensorBytes", "Saved", "parameters", "peak", "saved", "state_bytes"]

WEIGHT = 4  # bytes of a weight, of its gradient, and of each state of the optimiser: float32 throughout
STATES = {"adamw": 2, "sgd": 1}
HALF = 2  # bytes of a weight's copy that autocast keeps for a step


@dataclass(frozen=True)
class Saved:
    """Bytes that autograd saves of one clip."""

    blocks: tuple[int, ...]  # by each block
    inputs: tuple[int, ...]  # of these, or of none, the input of each block
    gradients: tuple[int, ...]  # the first of each block's backward pass: of its output and its MLP's hidden layer
    rest: int  # by the patches and the last LayerNorm

    def of_clip(self, checkpointing: bool) -> int:
        """Bytes of one clip at the peak."""
        if not checkpointing or not self.blocks:
            return sum(self.blocks) + self.rest
        return sum(self.inputs) + max(map(sum, zip(self.blocks, self.gradients, strict=True))) + self.rest


@cache
def saved(model: Model, pixels: int, precision: str) -> Saved:
    """What the forward pass of one clip saves; below float32 as accelerators cast, LayerNorms in float32.

    For a backbone other than mvit, whose largest gradients may be anywhere, it is measured in a whole step.
    """
    if model.backbone != MVIT:
        one, three = (_peak_of_step(model, pixels, clips, precision) for clips in (1, 3))
        return Saved((), (), (), (three - one) // 2)
    backbone = without_memory(model, lambda: build_backbone(model, pixels).train())
    with FakeTensorMode(allow_non_fake_inputs=True):
        backbone = backbone.to_empty(device="cpu")
        tally = _SavedBytes(backbone)
        clip = torch.empty(1, 3, model.frames, pixels, pixels)
        low = precision != "float32"
        with (
            torch.autograd.graph.saved_tensors_hooks(tally.pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=low),
        ):
            hooks = tally.hooks(low)
            backbone(clip)
            for hook in hooks:
                hook.remove()
    blocks = tuple(tally.bytes[index] for index in range(len(tally.blocks)))
    return Saved(blocks, tuple(tally.inputs), tuple(tally.gradients), tally.bytes[None])


def _peak_of_step(model: Model, pixels: int, clips: int, precision: str) -> int:
    """Bytes at the peak of a forward and backward pass of so many clips, on tensors without data."""
    backbone = without_memory(model, lambda: build_backbone(model, pixels).train())
    with FakeTensorMode(allow_non_fake_inputs=True):
        backbone = backbone.to_empty(device="cpu")
        video = torch.empty(clips, 3, model.frames, pixels, pixels)
        with PeakTensorBytes() as held:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision != "float32"):
                z = backbone(video)
            z.float().sum().backward()
    return held.peak


class PeakTensorBytes(TorchDispatchMode):
    """The most bytes that tensors made within the context hold at the same time: `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._bytes: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        result = function(*arguments, **(named or {}))
        given = {each.untyped_storage()._cdata for each in tree_leaves(arguments) if isinstance(each, Tensor)}
        self._bytes = {key: its for key, its in self._bytes.items() if not its[0].expired()}
        for each in tree_leaves(result):
            if isinstance(each, Tensor) and (storage := each.untyped_storage())._cdata not in given:
                self._bytes[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(size for _, size in self._bytes.values()))
        return result


class _SavedBytes:
    """Bytes saved for the backward pass by block; each storage counts once, weights do not."""

    def __init__(self, backbone: nn.Module):
        self.backbone = backbone
        self.blocks = list(backbone.blocks) if isinstance(backbone, MViT) else []
        self.bytes: dict[int | None, int] = dict.fromkeys([None, *range(len(self.blocks))], 0)
        self.inputs: list[int] = []
        self.gradients: list[int] = []
        self._block: int | None = None
        self._seen = {parameter.untyped_storage()._cdata for parameter in backbone.parameters()}
        self._alive: list[torch.UntypedStorage] = []  # or another storage may get the address of one that has gone

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self._alive.append(storage)
            self.bytes[self._block] += storage.nbytes()
        return tensor

    def hooks(self, low: bool) -> list[torch.utils.hooks.RemovableHandle]:
        """Note which block is computed; `low`: LayerNorms take float32, as autocast has it on accelerators."""

        def enter(index: int, inputs: tuple[Tensor, ...]) -> None:
            self._block = index
            self.inputs.append(inputs[0].nbytes)

        def leave(block: Block, output: Tensor) -> None:
            self._block = None
            self.gradients.append(output.nbytes * (1 + block.mlp.fc1.out_features // block.mlp.fc1.in_features))

        found = []
        for index, block in enumerate(self.blocks):
            found.append(block.register_forward_pre_hook(lambda _, inputs, index=index: enter(index, inputs)))
            found.append(block.register_forward_hook(lambda block, _, output: leave(block, output)))
        norms = [module for module in self.backbone.modules() if isinstance(module, nn.LayerNorm) and low]
        return found + [
            norm.register_forward_pre_hook(lambda _, inputs: tuple(each.float() for each in inputs)) for norm in norms
        ]


def parameters(scale: Scale, run: Run, recipe: Recipe, classes: dict[str, int]) -> int:
    """Weights of a run's network with its heads, projections and expander.

    These depend on the width alone, so they are built on one block a stage: the whole is slow to build 19 times.
    """
    pixels, model = scale.sizes[run.size], scale.model_of(recipe, run.backbone)
    shallow = model.model_copy(update={"depths": (1,) * len(model.depths)}) if model.backbone == MVIT else model
    spec = Spec(
        model=shallow,
        size=pixels,
        classes={name: tuple(map(str, range(classes[name]))) for name in run.datasets},
        projections=run.projection != "none",
        expander=(recipe.expander_hidden, recipe.embedding) if run.informative else None,
    )
    total = without_memory(model, lambda: sum(weight.numel() for weight in Network(spec).parameters()))
    return total - _backbone(shallow, pixels) + _backbone(model, pixels)


@cache
def _backbone(model: Model, pixels: int) -> int:
    return without_memory(model, lambda: sum(weight.numel() for weight in build_backbone(model, pixels).parameters()))


def state_bytes(weights: int, recipe: Recipe) -> int:
    """Weights and the optimiser's states: what a resume point holds."""
    return weights * WEIGHT * (1 + STATES[recipe.optimiser])


def peak(weights: int, clips: int, of: Saved, scale: Scale, run: Run, recipe: Recipe) -> int:
    """Bytes a process needs for a micro-batch of so many clips, beside what its libraries keep."""
    machine = scale.machine
    copies = WEIGHT * (2 if machine.processes > 1 else 1)  # gradients, and the buckets they are summed in
    copies += HALF if machine.precision != "float32" else 0
    return state_bytes(weights, recipe) + copies * weights + clips * of.of_clip(run.size in machine.checkpointing)
