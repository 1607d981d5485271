"""Linear layers of something cheap: what they read is computed again in the backward pass instead of being kept.

Of the activations that a block keeps, the GELU's result alone is a fifth, and computing it again costs a few hundredths
of its linear layer. The bits are those of the plain form, forward and backward. On processors only: on accelerators
autocast and the compiler decide what is kept.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def _by_weights(gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of a linear layer by its weight (out, in) and bias (out,), from (..., out) and input (..., in)."""
    rows = gradient.flatten(0, -2)
    return rows.T @ x.flatten(0, -2), rows.sum(0)


class _LinearOfGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(F.gelu(x), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        by_weight, by_bias = _by_weights(gradient, F.gelu(x))
        by_x = gradient @ weight
        return torch.ops.aten.gelu_backward.grad_input(by_x, x, grad_input=by_x), by_weight, by_bias


class _LinearOfNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, epsilon: float, weight: Tensor, bias: Tensor) -> Tensor:
        y, mean, deviation = torch.native_layer_norm(x, scale.shape, scale, shift, epsilon)
        ctx.save_for_backward(x, mean, deviation, scale, shift, weight)
        ctx.epsilon = epsilon
        return F.linear(y, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, deviation, scale, shift, weight = ctx.saved_tensors
        by_weight, by_bias = _by_weights(gradient, F.layer_norm(x, scale.shape, scale, shift, ctx.epsilon))
        by_x, by_scale, by_shift = torch.ops.aten.native_layer_norm_backward(
            gradient @ weight, x, scale.shape, mean, deviation, scale, shift, (True, True, True)
        )
        return by_x, by_scale, by_shift, None, by_weight, by_bias


def _plain(x: Tensor) -> bool:
    return x.device.type != "cpu" or torch.is_autocast_enabled("cpu")


def linear_of_gelu(linear: nn.Linear, x: Tensor) -> Tensor:
    """linear(gelu(x)): (..., in) to (..., out)."""
    return linear(F.gelu(x)) if _plain(x) else _LinearOfGelu.apply(x, linear.weight, linear.bias)


def linear_of_norm(linear: nn.Linear, norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """linear(norm(x)): (..., in) to (..., out)."""
    if _plain(x):
        return linear(norm(x))
    return _LinearOfNorm.apply(x, norm.weight, norm.bias, norm.eps, linear.weight, linear.bias)
