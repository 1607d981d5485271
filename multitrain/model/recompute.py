"""Linear layers after GELU or LayerNorm that recompute their input in the backward pass instead of keeping it.

Of the activations that a block keeps, the GELU's result alone is a fifth, and computing it again costs a few hundredths
of its linear layer, unless that is narrow. The bits are those of the plain form, forward and backward. On processors
only: on accelerators autocast and the compiler decide what is kept.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["gelu_linear", "layer_norm_linear"]

KEPT = 2**21  # most numbers of a narrow layer's input that is kept: 8 MB
NARROW = 2**16  # most weights of a layer whose product costs little more than its input


def _kept(y: Tensor, weight: Tensor) -> Tensor | None:
    """The input of a linear layer if it is to be kept, else None."""
    return y if y.numel() <= KEPT and weight.numel() <= NARROW else None


def _by_weights(gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of a linear layer by its weight (out, in) and bias (out,), from (..., out) and input (..., in)."""
    rows = gradient.flatten(0, -2)
    return rows.T @ x.flatten(0, -2), rows.sum(0)


class _GeluLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = F.gelu(x)
        ctx.save_for_backward(x, weight, _kept(y, weight))
        return F.linear(y, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight, y = ctx.saved_tensors
        by_weight, by_bias = _by_weights(gradient, F.gelu(x) if y is None else y)
        by_x = gradient @ weight
        return torch.ops.aten.gelu_backward.grad_input(by_x, x, grad_input=by_x), by_weight, by_bias


class _LayerNormLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        epsilon: float,
        weight: Tensor,
        bias: Tensor,
        sizes: Sequence[int],
    ) -> tuple[Tensor, ...]:
        y, mean, deviation = torch.native_layer_norm(x, scale.shape, scale, shift, epsilon)
        ctx.save_for_backward(x, mean, deviation, scale, shift, weight, _kept(y, weight))
        ctx.epsilon, ctx.sizes = epsilon, sizes
        return tuple(F.linear(y, *part) for part in zip(weight.split(sizes), bias.split(sizes), strict=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, deviation, scale, shift, weight, y = ctx.saved_tensors
        if y is None:
            y = F.layer_norm(x, scale.shape, scale, shift, ctx.epsilon)
        by_weights = [_by_weights(gradient, y) for gradient in gradients]
        by_weight, by_bias = by_weights[0] if len(gradients) == 1 else map(torch.cat, zip(*by_weights, strict=True))
        first, *others = weight.split(ctx.sizes)
        by_y = (gradients[0] @ first).flatten(0, -2)
        for gradient, part in zip(gradients[1:], others, strict=True):
            by_y.addmm_(gradient.flatten(0, -2), part)
        by_x, by_scale, by_shift = torch.ops.aten.native_layer_norm_backward(
            by_y.view_as(x), x, scale.shape, mean, deviation, scale, shift, (True, True, True)
        )
        return by_x, by_scale, by_shift, None, by_weight, by_bias, None


def _plain(x: Tensor) -> bool:
    """Whether the plain layers are used; exported programs must not depend on the size of a batch."""
    return x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()


def gelu_linear(linear: nn.Linear, x: Tensor) -> Tensor:
    """linear(gelu(x)): (..., in) to (..., out)."""
    return linear(F.gelu(x)) if _plain(x) else _GeluLinear.apply(x, linear.weight, linear.bias)


def layer_norm_linear(linear: nn.Linear, norm: nn.LayerNorm, x: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """linear(norm(x)) of (..., in), split into parts (..., size) that each have memory of their own."""
    if _plain(x):
        return linear(norm(x)).split(sizes, -1)
    return _LayerNormLinear.apply(x, norm.weight, norm.bias, norm.eps, linear.weight, linear.bias, sizes)
