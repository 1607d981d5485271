"""MViT written plainly: explicit attention matrices, contiguous NCDHW convolutions, one head at a time.

An independent reading of the paper's block for parity tests, and the other side of the speed comparison. It borrows the
weights of a `multitrain.model.backbones.mvit.MViT` and none of its code.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


class PlainMViT(torch.nn.Module):
    """Clips (B, 3, T, H, W) to features (B, width), with the parameters of the given backbone."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, clips: Tensor) -> Tensor:
        own = self.backbone
        x = F.conv3d(clips, own.patch.weight, own.patch.bias, own.patch.stride, own.patch.padding)
        grid = tuple(x.shape[2:])
        x = x.flatten(2).transpose(1, 2)  # (B, N, C)
        x = x + own.position_space.repeat(grid[0], 1)
        x = x + own.position_time.repeat_interleave(grid[1] * grid[2], dim=0)
        for block in own.blocks:
            x, grid = plain_block(block, x, grid)
        return F.layer_norm(x, x.shape[-1:], own.norm.weight, own.norm.bias, own.norm.eps).mean(1)


def layer_norm(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)


def pool(x: Tensor, grid: tuple, conv: torch.nn.Conv3d, norm: torch.nn.LayerNorm, stride: int) -> tuple:
    """(B, heads, N, d) pooled over its grid, each head on its own."""
    b, heads, _, d = x.shape
    x = x.reshape(b * heads, *grid, d).permute(0, 4, 1, 2, 3).contiguous()
    x = F.conv3d(x, conv.weight, stride=(1, stride, stride), padding=1, groups=d)
    grid = tuple(x.shape[2:])
    return layer_norm(x.reshape(b, heads, d, -1).transpose(2, 3), norm), grid


def plain_block(block, x: Tensor, grid: tuple) -> tuple[Tensor, tuple]:
    attention, b, n = block.attention, x.shape[0], x.shape[1]
    qkv = attention.qkv(layer_norm(x, block.norm1)).reshape(b, n, 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
    q, q_grid = pool(qkv[0], grid, attention.pool_q, attention.norm_q, attention.q_stride)
    k, _ = pool(qkv[1], grid, attention.pool_k, attention.norm_k, attention.kv_stride)
    v, _ = pool(qkv[2], grid, attention.pool_v, attention.norm_v, attention.kv_stride)
    matrix = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)  # (B, heads, queries, keys)
    attended = attention.proj((matrix @ v + q).transpose(1, 2).reshape(b, q.shape[2], -1))
    skip = block.skip(x)
    if q_grid != grid:
        skip = skip.transpose(1, 2).reshape(b, -1, *grid)
        skip = F.max_pool3d(skip, (1, 3, 3), (1, 2, 2), (0, 1, 1)).flatten(2).transpose(1, 2)
    x = skip + attended
    return x + block.mlp.fc2(F.gelu(block.mlp.fc1(layer_norm(x, block.norm2)))), q_grid
