"""Operations and memory of backbones other than the paper's, and of the paper's by a formula."""

import pytest
import torch

from multitrain.analysis.cost.flops import LAYER_NORM, cost, costs
from multitrain.analysis.cost.memory import PeakTensorBytes, saved
from multitrain.config.config_files import load_scale
from multitrain.config.model_settings import Model
from multitrain.model.backbones.build import build_backbone
from multitrain.model.backbones.mvit import layout
from tests.engine.batch_norm_net import NAME


def formula(model: Model, size: int) -> float:
    """G multiply-accumulates of MViTv2, from its layout alone."""
    t, side = model.frames // model.patch_stride[0], size // model.patch_stride[1]
    kernel = model.patch_kernel[0] * model.patch_kernel[1] * model.patch_kernel[2]
    total = t * side**2 * 3 * kernel * model.channels
    for block in layout(model):
        tokens, inner = t * side**2, block.out
        total += LAYER_NORM * tokens * block.width + 3 * tokens * block.width * inner  # norm1, qkv
        total += tokens * block.width * inner if block.width != inner else 0  # skip
        side_q, side_kv = -(-side // block.q_stride), -(-side // block.kv_stride)
        query, key = t * side_q**2, t * side_kv**2
        pooled = query + 2 * key
        total += 27 * pooled * inner + LAYER_NORM * pooled * inner + 2 * query * key * inner + query * inner**2
        total += LAYER_NORM * query * inner + 2 * model.mlp_ratio * query * inner**2  # norm2, MLP
        side = side_q
    return (total + LAYER_NORM * t * side**2 * layout(model)[-1].out) / 1e9


@pytest.mark.parametrize(("name", "size"), [("paper", "base"), ("paper", "large"), ("mini", "base"), ("ci", "large")])
def test_the_counter_agrees_with_the_formula_for_mvit(name: str, size: str):
    scale = load_scale(name)
    assert cost(scale, size).gflops == pytest.approx(formula(scale.model, scale.sizes[size]), rel=1e-9)


def test_a_convolution_is_counted_by_hand(scale):
    found = cost(scale, "base", "cnn3d")
    stem = 2 * 8 * 8 * 3 * 3 * 7 * 7 * 24
    assert found.linear == found.attention == 0 and found.convolution * 1e9 > stem
    first = 2 * 8 * 8 * (9 * 24 * 24 + 3 * 24 * 24)
    second = 2 * 4 * 4 * (9 * 24 * 48 + 3 * 48 * 48 + 24 * 48)
    third = 2 * 2 * 2 * (9 * 48 * 96 + 3 * 96 * 96 + 48 * 96)
    assert found.convolution * 1e9 == pytest.approx(stem + first + second + third)


def test_each_backbone_that_runs_name_has_a_line_and_the_others_are_as_before(scale, experiments):
    before = costs(scale, experiments)
    assert [each["size"] for each in before] == ["base", "large"] and "backbone" not in before[0]
    run = experiments.runs["k400_baseline"].model_copy(update={"backbone": "torchvision:r3d_18"})
    other = experiments.model_copy(update={"runs": {**experiments.runs, "other": run}})
    found = costs(scale, other)
    assert found[:2] == before and [each["backbone"] for each in found[2:]] == ["torchvision:r3d_18"] * 2
    assert found[2]["backbone_parameters"] == 33_166_272


@pytest.mark.parametrize("name", ["cnn3d", "torchvision:r3d_18"])
def test_memory_is_the_peak_of_a_step_with_real_tensors(name: str):
    model, peaks = Model(backbone=name, frames=4), []
    backbone = build_backbone(model, 32).train()
    for clips in (1, 3):
        backbone.zero_grad(set_to_none=True)
        video = torch.randn(clips, 3, 4, 32, 32)
        with PeakTensorBytes() as held:
            z = backbone(video)  # alive, as in the measured step
            z.sum().backward()
        peaks.append(held.peak)
    assert saved(model, 32, "float32").of_clip(False) == pytest.approx((peaks[1] - peaks[0]) / 2)


def test_memory_of_a_net_by_hand():
    """At the peak there are the convolution's output, ReLU's, the gradient of ReLU's and that of BatchNorm's."""
    plane = 8 * 2 * 8 * 8 * 4  # channels, frames, height, width, bytes
    assert saved(Model(backbone=NAME, frames=4), 32, "float32").of_clip(False) == pytest.approx(4 * plane, rel=0.01)
