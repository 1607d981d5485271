"""Attribution of a class to the places and moments of a clip: occlusion, Grad-CAM, attention rollout.

Every method maps a normalised clip (3, T, S, S) to the relevance (T, S, S) of its pixels for one class of one head;
higher is more. What is hidden has the clip's mean colour.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multitrain.common.errors import UserError
from multitrain.inference.interpret.rollout import rollout
from multitrain.model.backbones.mvit import MViT
from multitrain.model.network import Network

__all__ = ["METHODS", "Method", "attribute", "hide", "marked", "probability"]

Method = Literal["occlusion", "gradcam", "rollout"]
METHODS: tuple[Method, ...] = get_args(Method)
MOMENTS, SIDES = 4, 4  # a box has this part of the clip's length, and of its side; along the side boxes overlap by half


def attribute(network: Network, clip: Tensor, dataset: str, label: int, method: Method, batch: int = 16) -> Tensor:
    """Relevance (T, S, S) of a clip's pixels for a class of a dataset's head.

    Raises:
        UserError: the method does not work with the network's backbone.
    """
    if method == "occlusion":
        return occlusion(network, clip, dataset, label, batch)
    grid = (_rollout if method == "rollout" else gradcam)(network, clip, dataset, label)
    return F.interpolate(grid[None, None], clip.shape[1:], mode="trilinear", align_corners=False)[0, 0]


def probability(network: Network, clips: Tensor, dataset: str, label: int, batch: int = 16) -> Tensor:
    """Probability (B,) of a class for normalised clips (B, 3, T, S, S)."""
    with torch.inference_mode():
        return torch.cat([network.logits(part)[dataset].softmax(-1)[:, label] for part in clips.split(batch)])


def hide(clip: Tensor, where: Tensor) -> Tensor:
    """A clip (3, T, S, S) with its mean colour in the pixels `where` (T, S, S)."""
    return torch.where(where, clip.mean(dim=(1, 2, 3), keepdim=True), clip)


def marked(relevance: Tensor, share: float) -> Tensor:
    """The `share` of pixels (T, S, S) with the highest relevance; of equal ones the first."""
    count = max(round(share * relevance.numel()), 1)
    mask = torch.zeros(relevance.numel(), dtype=torch.bool, device=relevance.device)
    mask[relevance.flatten().argsort(descending=True, stable=True)[:count]] = True
    return mask.view(relevance.shape)


def occlusion(network: Network, clip: Tensor, dataset: str, label: int, batch: int) -> Tensor:
    """Occlusion sensitivity: by how much the log probability falls when a box of space and time is hidden.

    A pixel's relevance is the mean over the boxes that cover it (Zeiler and Fergus, 2014, in space and time).
    """
    boxes = list(_boxes(clip))
    hidden = torch.stack([hide(clip, box) for box in boxes])
    scores = probability(network, torch.cat([clip[None], hidden]), dataset, label, batch).log()
    falls, covers = scores[0] - scores[1:], torch.stack(boxes).to(clip.dtype)  # (N,), (N, T, S, S)
    return torch.einsum("n,nthw->thw", falls, covers) / covers.sum(0)


def _boxes(clip: Tensor) -> Iterator[Tensor]:
    """Masks (T, S, S) of boxes that cover the clip."""
    sides = [list(_spans(side, SIDES, 2)) for side in clip.shape[2:]]
    for box in product(_spans(clip.shape[1], MOMENTS, 1), *sides):
        mask = torch.zeros(clip.shape[1:], dtype=torch.bool, device=clip.device)
        mask[box] = True
        yield mask


def _spans(length: int, part: int, overlap: int) -> Iterator[slice]:
    """Spans of a `part`-th of a length, an `overlap`-th of a span apart; the last ends with the length."""
    span = -(-length // part)
    starts = range(0, length - span, max(span // overlap, 1))
    yield from (slice(start, start + span) for start in (*starts, length - span))


def gradcam(network: Network, clip: Tensor, dataset: str, label: int) -> Tensor:
    """Grad-CAM (Selvaraju et al., 2017) on the backbone's last grid of features: (T', H', W'), not below 0.

    Raises:
        UserError: no module of the backbone gives such a grid.
    """
    width = network.backbone.width
    with _outputs(network.backbone, lambda out: _is_grid(out, width)) as grids, torch.enable_grad():
        score = network.logits(clip[None])[dataset][0, label]
    if not grids:
        raise UserError(
            f"--method gradcam: backbone {network.spec.model.backbone} has no features by place: take occlusion"
        )
    (gradient,) = torch.autograd.grad(score, grids[-1])
    last = grids[-1].shape[-1] == width
    channels = -1 if last else 1
    places = (1, 2, 3) if last else (2, 3, 4)
    weights = gradient.mean(dim=places, keepdim=True)
    return (weights * grids[-1]).sum(channels)[0].relu().detach()


def _is_grid(out: object, width: int) -> bool:
    """Whether a module's output is features at several places: (1, T, H, W, width) or (1, width, T, H, W)."""
    return (
        isinstance(out, Tensor)
        and out.dim() == 5
        and out.requires_grad
        and width in (out.shape[1], out.shape[-1])
        and out.numel() > width
    )


@contextmanager
def _outputs(module: nn.Module, keep: Callable[[object], bool]) -> Iterator[list[Tensor]]:
    """The outputs of a module's parts in the order of the forward pass."""
    found: list[Tensor] = []

    def note(_: nn.Module, __: object, out: object) -> None:
        if keep(out):
            found.append(out)  # type: ignore[arg-type]  # `keep` takes tensors alone

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _rollout(network: Network, clip: Tensor, dataset: str, label: int) -> Tensor:
    if not isinstance(network.backbone, MViT):
        raise UserError(f"--method rollout: is for mvit, not {network.spec.model.backbone}: take occlusion or gradcam")
    return rollout(network, network.backbone, clip, dataset, label)
