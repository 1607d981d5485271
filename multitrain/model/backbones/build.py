"""Build a backbone with its width known, and check one before it is trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from multitrain.common.errors import UserError
from multitrain.config.model_settings import Model
from multitrain.model.backbones.contract import BackboneModule, build_module, failure

__all__ = ["build_backbone", "check_backbone", "kept_buffers", "without_memory"]

T = TypeVar("T")


def build_backbone(model: Model, size: int) -> BackboneModule:
    """The backbone of a configuration, with `width`: where it has none, measured with one clip of zeros.

    Raises:
        UserError: as `build_module`, or a clip of zeros has no features.
    """
    module = build_module(model, size)
    width = getattr(module, "width", None)
    if width is None:
        module.eval()  # where BatchNorm keeps its statistics and dropout draws nothing
        with torch.no_grad():
            module.width = _features(module, model, _clips(module, model, size, 1), 1).shape[1]
        module.train()
    elif not isinstance(width, int) or width < 1:
        raise UserError(f"backbone: {model.backbone} has width {width!r}: it is the number D of features z (B, D)")
    return module


def check_backbone(module: BackboneModule, model: Model, size: int) -> None:
    """Check a backbone on two clips of noise, forward and backward: shape, numbers, a gradient of every weight.

    Raises:
        UserError: what is wrong, and its cure.
    """
    name, training = model.backbone, module.training
    weights = {key: weight for key, weight in module.named_parameters() if weight.requires_grad}
    clips = _clips(module, model, size, 2)
    clips.normal_(generator=torch.Generator().manual_seed(0))
    module.train()
    with torch.random.fork_rng(devices=[]), kept_buffers(module), torch.enable_grad():
        z = _features(module, model, clips, 2)
        if z.shape[1] != module.width:
            raise UserError(
                f"backbone: {name} has width {module.width}, and its features are {tuple(z.shape)}: correct it"
            )
        if not z.isfinite().all():
            raise UserError(f"backbone: {name}: features of noise hold NaN or infinity: look at its initial weights")
        found = torch.autograd.grad(z.sum(), list(weights.values()), allow_unused=True) if weights else ()
        module.eval()
        with torch.no_grad():
            if not (alone := _features(module, model, clips, 2)).isfinite().all():
                raise UserError(f"backbone: {name}: features in evaluation mode hold NaN or infinity: {alone.dtype}")
    module.train(training)
    if unused := [key for key, gradient in zip(weights, found, strict=True) if gradient is None]:
        raise UserError(
            f"backbone: {name}: z does not depend on its weight {unused[0]}: remove that, or set requires_grad to False"
        )


@contextmanager
def kept_buffers(module: nn.Module) -> Iterator[None]:
    """A context after which all buffers are as before: a forward pass in training mode changes those of BatchNorm."""
    before = [buffer.clone() for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(module.buffers(), before, strict=True):
                buffer.copy_(value)


def without_memory(model: Model, work: Callable[[], T]) -> T:
    """The result of work with networks of this model on the device "meta", which has shapes and no data.

    A backbone of the user's own may need data: where it fails, the work is done on the processor.
    """
    if ":" not in model.backbone:
        with torch.device("meta"):
            return work()
    try:
        with torch.device("meta"):
            return work()
    except Exception:  # anything that a module does with numbers that are not there
        return work()


def _clips(module: nn.Module, model: Model, size: int, count: int) -> Tensor:
    """Clips of zeros (count, 3, T, size, size) on the module's device: "meta" while only shapes are computed."""
    like = next(module.parameters(), torch.empty(0))
    return torch.zeros((count, 3, model.frames, size, size), device=like.device, dtype=like.dtype)


def _features(module: nn.Module, model: Model, clips: Tensor, count: int) -> Tensor:
    """z (count, D) of clips.

    Raises:
        UserError: it fails, or gives something else.
    """
    name, shape = model.backbone, " x ".join(map(str, clips.shape))
    try:
        z = module(clips)
    except Exception as error:
        raise UserError(
            f"backbone: {name} fails on clips of {shape}: {failure(error)}: choose frames and size that it takes"
        ) from error
    if not isinstance(z, Tensor) or z.ndim != 2 or len(z) != count or not z.is_floating_point():
        given = f"{z.dtype} {tuple(z.shape)}" if isinstance(z, Tensor) else f"a {type(z).__name__}"
        raise UserError(f"backbone: {name} gives {given} for clips of {shape}: return features z ({count}, D)")
    return z
