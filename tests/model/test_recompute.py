"""Recomputed inputs of linear layers: the bits of the plain form, and no memory for them where that pays."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multitrain.model import recompute as module
from multitrain.model.recompute import gelu_linear, layer_norm_linear


@pytest.fixture(params=["kept", "computed again"])
def policy(request, monkeypatch):
    """Whether the input of a linear layer is kept: always below 2**30 values, or never."""
    monkeypatch.setattr(module, "KEPT", 2**30 if request.param == "kept" else -1)
    return request.param


def layers(width: int, out: int):
    """(recomputing form, plain form, parameters) of both layers; norms have random weights."""
    torch.manual_seed(0)
    linear, norm = nn.Linear(width, out), nn.LayerNorm(width, eps=1e-6)
    for parameter in norm.parameters():
        nn.init.normal_(parameter, mean=1)
    return [
        (lambda x: gelu_linear(linear, x), lambda x: linear(F.gelu(x)), list(linear.parameters())),
        (
            lambda x: layer_norm_linear(linear, norm, x, (out,))[0],
            lambda x: linear(norm(x)),
            [*linear.parameters(), *norm.parameters()],
        ),
    ]


@pytest.mark.parametrize("shape", [(16, 4, 12, 12, 24), (3, 2, 3, 3, 8), (1, 8, 14, 14, 96)])
@pytest.mark.parametrize("kind", [0, 1])
def test_outputs_and_gradients_have_the_bits_of_the_plain_form(shape, kind, policy):
    recomputing, plain, parameters = layers(shape[-1], 3 * shape[-1])[kind]
    x = torch.randn(shape, requires_grad=True)
    found, expected = recomputing(x), plain(x)
    upstream = torch.randn_like(found)
    pairs = zip(
        (found, *torch.autograd.grad(found, [x, *parameters], upstream)),
        (expected, *torch.autograd.grad(expected, [x, *parameters], upstream)),
        strict=True,
    )
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("kind", [0, 1])
def test_gradients_equal_finite_differences(kind, policy):
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    scale, shift, bias = (torch.randn(n, dtype=torch.float64, requires_grad=True) for n in (4, 4, 5))
    weight = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)

    def recomputing(x, scale, shift, weight, bias):
        linear, norm = nn.Linear(4, 5), nn.LayerNorm(4)
        for layer, w, b in ((linear, weight, bias), (norm, scale, shift)):
            del layer.weight, layer.bias
            layer.weight, layer.bias = w, b
        return layer_norm_linear(linear, norm, x, (2, 3))[1] if kind else gelu_linear(linear, x * scale + shift)

    assert torch.autograd.gradcheck(recomputing, (x, scale, shift, weight, bias))


@pytest.mark.parametrize("kind", [0, 1])
def test_only_the_input_and_small_things_are_kept(kind, policy):
    recomputing, plain, _ = layers(32, 8)[kind]
    x = torch.randn(64, 32, requires_grad=True)

    def kept(form) -> int:
        """Values of the size of the layer's input that wait for the backward pass."""
        places = set()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: places.add(t.data_ptr() * (t.numel() == 2048)), id):
            form(x)
        return len(places - {0})

    assert (kept(recomputing), kept(plain)) == (2 if policy == "kept" else 1, 2)


def test_the_input_of_a_narrow_layer_is_kept_unless_it_is_large():
    narrow, wide = torch.empty(256, 256, device="meta"), torch.empty(257, 256, device="meta")
    few, many = torch.empty(2**13, 256, device="meta"), torch.empty(2**13 + 1, 256, device="meta")
    assert module._kept(few, narrow) is few
    assert module._kept(many, narrow) is None and module._kept(few, wide) is None


def test_split_outputs_equal_the_whole_and_are_contiguous():
    torch.manual_seed(0)
    linear, norm, x = nn.Linear(8, 12), nn.LayerNorm(8), torch.randn(3, 5, 8, requires_grad=True)
    parts, whole = layer_norm_linear(linear, norm, x, (4, 8)), linear(norm(x))
    torch.testing.assert_close(torch.cat(parts, -1), whole)
    assert all(part.is_contiguous() for part in parts)
    upstream, inputs = torch.randn_like(whole), [x, *linear.parameters(), *norm.parameters()]
    found = torch.autograd.grad(parts, inputs, upstream.split((4, 8), -1))
    for one, other in zip(found, torch.autograd.grad(whole, inputs, upstream), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [0, 1])
def test_autocast_gives_the_plain_form(kind):
    recomputing, plain, _ = layers(8, 8)[kind]
    x = torch.randn(4, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = recomputing(x)
        assert found.dtype == torch.bfloat16 and torch.equal(found, plain(x))
    found.sum().backward()
    assert x.grad.dtype == torch.float32
