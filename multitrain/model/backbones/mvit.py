"""The backbone: MViTv2 with learned, separable absolute positions (paper, Section 3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multitrain.common.errors import UserError
from multitrain.config.model_settings import Model
from multitrain.model.attention import Block
from multitrain.model.backbones.contract import backbone

__all__ = ["MViT", "init_linear", "resize_positions"]


@dataclass(frozen=True)
class BlockLayout:
    """Widths and strides of one block; grid strides are spatial."""

    width: int
    out: int
    heads: int
    q_stride: int
    kv_stride: int


def layout(model: Model) -> list[BlockLayout]:
    """The blocks of a configuration: each stage after the first doubles width and heads and halves the grid."""
    blocks = []
    for stage, depth in enumerate(model.depths):
        out, heads = model.channels * 2**stage, model.heads * 2**stage
        kv_stride = max(model.kv_stride // 2**stage, 1)
        for index in range(depth):
            first = stage > 0 and index == 0
            blocks.append(BlockLayout(out // 2 if first else out, out, heads, 2 if first else 1, kv_stride))
    return blocks


class MViT(nn.Module):
    """Clips (B, 3, T, size, size), normalised, to features z (B, width).

    Raises:
        UserError: the clip's size is no multiple of the strides, or the channels no multiple of the heads.
    """

    def __init__(self, model: Model, size: int):
        super().__init__()
        step = model.patch_stride[1] * 2 ** (len(model.depths) - 1)
        if size % model.patch_stride[1] or model.frames % model.patch_stride[0]:
            raise UserError(f"model: {model.frames} frames of {size} pixels do not divide by {model.patch_stride}")
        if size < step or model.channels % model.heads:
            raise UserError(f"model: size {size} below {step}, or {model.channels} channels for {model.heads} heads")
        self.size, self.frames = size, model.frames
        self.grid = (model.frames // model.patch_stride[0], size // model.patch_stride[1])  # (T', side)
        t, h, w = model.patch_kernel
        padding = (t // 2, h // 2, w // 2)
        self.patch = nn.Conv3d(3, model.channels, model.patch_kernel, model.patch_stride, padding)
        self.position_space = nn.Parameter(torch.empty(self.grid[1] ** 2, model.channels))
        self.position_time = nn.Parameter(torch.empty(self.grid[0], model.channels))
        self.blocks = nn.ModuleList(
            Block(b.width, b.out, b.heads, b.q_stride, b.kv_stride, model.mlp_ratio) for b in layout(model)
        )
        self.checkpointing = False  # activation checkpointing of each block; a property of the machine
        self.width = layout(model)[-1].out
        self.norm = nn.LayerNorm(self.width, eps=1e-6)
        self.apply(init_linear)
        for table in (self.position_space, self.position_time):
            nn.init.trunc_normal_(table, std=0.02)

    def set_drop_path(self, rate: float) -> None:
        """Stochastic depth that grows linearly with depth, from 0 at the first block to `rate` at the last."""
        for block, value in zip(self.blocks, torch.linspace(0, rate, len(self.blocks)).tolist(), strict=True):
            block.drop_path = value

    def compile_blocks(self, backend: str = "inductor") -> None:
        """Compile each block by itself: much faster than the whole, and the names of weights stay."""
        for block in self.blocks:
            block.compile(backend=backend, dynamic=False)

    def adapt_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of another grid of positions, with the spatial ones resized."""
        table, own = weights.get("position_space"), self.position_space
        if table is None or table.shape[1:] != own.shape[1:]:
            return weights
        return {**weights, "position_space": resize_positions(table, self.grid[1])}

    def forward(self, clips: Tensor) -> Tensor:
        x = rearrange(self.patch(clips), "b c t h w -> b t h w c")
        space = rearrange(self.position_space, "(h w) c -> h w c", h=self.grid[1])
        x = x + space + self.position_time[:, None, None]
        x = x.contiguous()  # (B, T', side, side, C): from here on channels-last
        for block in cast(Iterable[Block], self.blocks):
            kept = block.draw_kept(x)
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, kept, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(x, kept)
        return self.norm(x).mean(dim=(1, 2, 3))  # z (B, width)


@backbone("mvit")
def mvit(frames: int, size: int, **layout: Any) -> MViT:
    """The paper's backbone; the layout is the keys of `Model`, channels to mlp_ratio."""
    return MViT(Model(frames=frames, **layout), size)


def init_linear(module: nn.Module) -> None:
    """Truncated normal of std 0.02 and zero bias for linear layers; other layers keep the framework's default."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def resize_positions(table: Tensor, side: int) -> Tensor:
    """A spatial position table (H*W, C) for another square grid (side*side, C), by bicubic interpolation."""
    old = round(len(table) ** 0.5)
    if old == side:
        return table
    grid = rearrange(table, "(h w) c -> 1 c h w", h=old)
    grid = F.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    return rearrange(grid, "1 c h w -> (h w) c")
