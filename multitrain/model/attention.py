"""Multi-head pooling attention and the block around it (paper, Eq. 1).

Everything stays in the layout (B, T, H, W, C). Seen as (B, C, T, H, W) that is the channels-last memory format, in
which the depthwise pooling convolutions run without a copy and several times faster than on contiguous NCDHW.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from multitrain.model.depthwise import depthwise
from multitrain.model.dropout import Dropout, kept_clips
from multitrain.model.recompute import gelu_linear, layer_norm_linear

__all__ = ["Block", "Mlp"]


def drop_path(x: Tensor, kept: Tensor | None, rate: float) -> Tensor:
    """Stochastic depth: zero the branch x (B, ...) of clips not kept (B, 1, ...), scale the others to keep the mean."""
    return x if kept is None else x * kept / (1 - rate)


class PoolingAttention(nn.Module):
    """Attention whose queries, keys and values are pooled by depthwise 3x3x3 convolutions shared by all heads.

    Maps (B, T, H, W, width), which `norm` normalises first, to (B, T, H / q_stride, W / q_stride, out), with the pooled
    query added to the attention's result before the output projection.
    """

    def __init__(self, width: int, out: int, heads: int, q_stride: int, kv_stride: int):
        super().__init__()
        self.heads, self.q_stride, self.kv_stride = heads, q_stride, kv_stride
        each = out // heads
        self.qkv = nn.Linear(width, 3 * out)
        self.pool_q, self.pool_k, self.pool_v = (
            nn.Conv3d(each, each, 3, padding=1, groups=each, bias=False) for _ in range(3)
        )
        self.norm_q, self.norm_k, self.norm_v = (nn.LayerNorm(each, eps=1e-5) for _ in range(3))
        self.proj = nn.Linear(out, out)

    def _pool(self, x: Tensor, pools: list[nn.Conv3d], stride: int) -> Tensor:
        """Pool (B, T, H, W, len(pools) * C) in one convolution, each part with its own kernel for every head."""
        kernel = torch.stack([pool.weight for pool in pools])[:, None]  # (pools, 1, d, 1, 3, 3, 3)
        kernel = kernel.expand(-1, self.heads, -1, -1, -1, -1, -1).flatten(0, 2)  # (len(pools) * C, 1, 3, 3, 3)
        return depthwise(x.permute(0, 4, 1, 2, 3), kernel, stride).permute(0, 2, 3, 4, 1)  # (B, T, H', W', ...)

    def _pooled(self, x: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, T, H', W', C) of norm(x): in one convolution where their strides agree."""
        c, pools = self.proj.in_features, [self.pool_q, self.pool_k, self.pool_v]
        if self.q_stride == self.kv_stride:
            (qkv,) = layer_norm_linear(self.qkv, norm, x, (3 * c,))
            query, key, value = self._pool(qkv, pools, self.q_stride).chunk(3, dim=-1)
            return query, key, value
        query, key_value = layer_norm_linear(self.qkv, norm, x, (c, 2 * c))
        query = self._pool(query, pools[:1], self.q_stride)
        key, value = self._pool(key_value, pools[1:], self.kv_stride).chunk(2, dim=-1)
        return query, key, value

    def forward(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        query, key, value = self._pooled(x, norm)
        t, h, w = query.shape[1:4]
        query, key, value = (
            # the heads' parts stay side by side in memory: no copy before the attention
            part_norm(rearrange(part, "b t h w (n d) -> b (t h w) n d", n=self.heads)).transpose(1, 2)
            for part_norm, part in ((self.norm_q, query), (self.norm_k, key), (self.norm_v, value))
        )
        x = F.scaled_dot_product_attention(query, key, value) + query  # (B, heads, T*H*W, d), scale d^-0.5
        return self.proj(rearrange(x, "b n (t h w) d -> b t h w (n d)", t=t, h=h, w=w))


class Mlp(nn.Module):
    """Two linear layers with GELU between; dropout after each."""

    def __init__(self, width: int, hidden: int, out: int, dropout: float = 0.0):
        super().__init__()
        self.fc1, self.fc2, self.dropout = nn.Linear(width, hidden), nn.Linear(hidden, out), Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))


class Block(nn.Module):
    """Eq. 1: X1 = MHPA(LN(X)) + Pool(X); Block(X) = MLP(LN(X1)) + X1.

    Where the width grows, the skip path is a linear layer on the un-normalised input; where the grid shrinks, it is
    max-pooled.
    """

    def __init__(self, width: int, out: int, heads: int, q_stride: int, kv_stride: int, mlp_ratio: int):
        super().__init__()
        self.q_stride = q_stride
        self.drop_path = 0.0  # probability; a property of the recipe, set by MViT.set_drop_path
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = PoolingAttention(width, out, heads, q_stride, kv_stride)
        self.skip = nn.Linear(width, out) if width != out else nn.Identity()
        self.norm2 = nn.LayerNorm(out, eps=1e-6)
        self.mlp = Mlp(out, mlp_ratio * out, out)

    def _pool_skip(self, x: Tensor) -> Tensor:
        """The skip path's (B, T, H, W, C), max-pooled to the grid of the queries."""
        if self.q_stride == 1:
            return x
        t = x.shape[1]
        x = rearrange(x, "b t h w c -> (b t) c h w")
        x = F.max_pool2d(x, self.q_stride + 1, self.q_stride, padding=self.q_stride // 2)
        return rearrange(x, "(b t) c h w -> b t h w c", t=t)

    def draw_kept(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Which clips of x (B, ...) keep the attention and the MLP, (B, 1, 1, 1, 1) each; None: all.

        Drawn outside `forward`, which activation checkpointing runs a second time.
        """
        if self.drop_path == 0.0 or not self.training:
            return None, None
        return kept_clips(x, self.drop_path), kept_clips(x, self.drop_path)

    def forward(self, x: Tensor, kept: tuple[Tensor | None, Tensor | None] = (None, None)) -> Tensor:
        attended = drop_path(self.attention(x, self.norm1), kept[0], self.drop_path)
        x = self._pool_skip(self.skip(x)) + attended
        fc1 = self.mlp.fc1
        (hidden,) = layer_norm_linear(fc1, self.norm2, x, (fc1.out_features,))  # (B, T, H, W, mlp_ratio * out)
        return x + drop_path(gelu_linear(self.mlp.fc2, hidden), kept[1], self.drop_path)
