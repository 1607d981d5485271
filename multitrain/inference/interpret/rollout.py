"""Gradient-weighted attention rollout of MViT (Chefer et al., 2021): relevance of the patches for a class."""

from collections.abc import Callable, Iterable
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from multitrain.model.attention import Block
from multitrain.model.backbones.mvit import MViT
from multitrain.model.network import Network

__all__ = ["rollout"]

Captured = dict[str, Tensor]


def rollout(network: Network, backbone: MViT, clip: Tensor, dataset: str, label: int) -> Tensor:
    """Relevance (T', H', W') of a clip's patches; clip (3, T, S, S) normalised.

    A block's attention, weighted by its gradient and without what is negative, carries the relevance of its queries to
    its keys; the skip path leaves it where it is. Pooling is undone by giving each place its pooled one's share.
    """
    blocks = list(cast(Iterable[Block], backbone.blocks))
    captured: list[Captured] = [{} for _ in blocks]
    hooks = [hook for block, its in zip(blocks, captured, strict=True) for hook in _capture(block, its)]
    try:
        with torch.enable_grad():
            score = network.logits(clip[None])[dataset][0, label]
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(score, [its["attended"] for its in captured])
    t, side = backbone.grid
    relevance: Tensor | None = None
    for block, its, gradient in reversed(list(zip(blocks, captured, gradients, strict=True))):
        height = int((its["query"].shape[1] // t) ** 0.5)
        if relevance is None:
            relevance = torch.full((t, height, height), 1 / (t * height**2), device=clip.device)
        with torch.no_grad():
            relevance = _through(block, its, gradient, relevance)
    assert relevance is not None and relevance.shape == (t, side, side)
    return relevance


def _capture(block: Block, its: Captured) -> list:
    """Hooks that keep query, key and value (1, N, heads, d) and the attention's result (1, T, H, W, C) of a block."""

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, out: its.__setitem__(name, out)

    attention = block.attention
    parts = {"query": attention.norm_q, "key": attention.norm_k, "value": attention.norm_v}
    hooks = [part.register_forward_hook(keep(name)) for name, part in parts.items()]
    return [*hooks, attention.proj.register_forward_pre_hook(lambda _, given: its.__setitem__("attended", given[0]))]


def _through(block: Block, its: Captured, gradient: Tensor, relevance: Tensor) -> Tensor:
    """Relevance (T, H, W) of a block's input from that (T, H', W') of its output."""
    query, key, value = (its[name][0].transpose(0, 1) for name in ("query", "key", "value"))  # (heads, N, d)
    weights = (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)  # (heads, Nq, Nk)
    towards = rearrange(gradient[0], "t h w (n d) -> n (t h w) d", n=len(query)) @ value.transpose(1, 2)
    carried = relevance.flatten() @ (weights * towards).relu().mean(0)  # (Nk,)
    t, height = relevance.shape[:2]
    side = height * block.q_stride
    small = round((key.shape[1] / t) ** 0.5)
    return _unpooled(relevance, side) + _unpooled(carried.view(t, small, small), side)


def _unpooled(relevance: Tensor, side: int) -> Tensor:
    """Relevance (T, H, W) spread over a larger grid (T, side, side), with the same sum."""
    if relevance.shape[-1] == side:
        return relevance
    large = F.interpolate(relevance[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]
    return large * (relevance.sum() / large.sum().clamp_min(torch.finfo(large.dtype).tiny))
