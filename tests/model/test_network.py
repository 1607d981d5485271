"""The network against the paper's cost, a plain implementation, and torchvision's MViT."""

import pytest
import torch
from torch import nn
from torchvision.models.video import mvit as tv

from dev.bench.plain_mvit import PlainMViT
from multitrain.analysis.cost.flops import cost
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_scale
from multitrain.config.scale import Model
from multitrain.model.attention import Block, drop_path
from multitrain.model.backbones.mvit import MViT, resize_positions
from multitrain.model.depthwise import depthwise
from multitrain.model.dropout import kept_clips
from multitrain.model.heads import make_head
from multitrain.model.network import Network, Spec, normalise

TINY = Model(frames=4, channels=8, depths=(1, 2), patch_kernel=(3, 7, 7), kv_stride=2, head_hidden=16, head_dropout=0.0)


def close(ours, theirs, tolerance):
    """Compare by a part of the largest value: the sums behind every value have terms as large as that."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * theirs.abs().max().item())


@pytest.mark.parametrize(
    ("size", "parameters", "gflops"), [("base", 50_986_176, 223.83), ("large", 51_269_184, 613.79)]
)
def test_parameters_and_cost_of_the_paper(size, parameters, gflops):
    found = cost(load_scale("paper"), size)
    assert found.backbone_parameters == parameters
    assert found.gflops == pytest.approx(gflops, abs=0.005)


def test_cost_by_kind():
    found = cost(load_scale("paper"), "base")
    kinds = (found.convolution, found.linear, found.attention, found.layer_norm)
    assert kinds == pytest.approx((3.709, 140.114, 79.305, 0.697), abs=5e-4)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_backbone_equals_the_plain_implementation_forward_and_backward(size):
    torch.manual_seed(0)
    backbone = MViT(TINY, size).double()
    clips = torch.randn(2, 3, 4, size, size, dtype=torch.float64)
    ours, theirs = backbone(clips), PlainMViT(backbone)(clips)
    close(ours, theirs, 1e-12)
    parameters = list(backbone.parameters())
    upstream = torch.randn_like(ours)
    mine, other = (torch.autograd.grad(output, parameters, upstream) for output in (ours, theirs))
    close(*(torch.cat([gradient.flatten() for gradient in each]) for each in (mine, other)), 1e-12)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("side", [3, 4])
def test_depthwise_gradients_equal_the_library(stride, side):
    torch.manual_seed(0)
    x = torch.randn(2, 3, side, side, 6, dtype=torch.float64).permute(0, 4, 1, 2, 3).requires_grad_()
    kernel = torch.randn(6, 1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: depthwise(a, b, stride), (x, kernel))


@pytest.mark.parametrize(("widths", "q_stride", "kv_stride"), [((16, 16), 1, 2), ((16, 32), 2, 1), ((32, 32), 1, 1)])
def test_block_equals_torchvision_where_they_meet(monkeypatch, widths, q_stride, kv_stride):
    """Equal with the class token hidden from attention, and an input that is normalised already.

    torchvision's block has a class token, and feeds a widening skip path with the normalised input.
    """
    torch.manual_seed(0)
    width, out = widths
    layout = tv.MSBlockConfig(2, width, out, [3] * 3, [3] * 3, [1, q_stride, q_stride], [1, kv_stride, kv_stride])
    theirs = tv.MultiscaleBlock(
        [2, 8, 8], layout, residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True, proj_after_attn=True
    )
    theirs.norm1.eps = theirs.norm2.eps = 1e-6
    ours = Block(width, out, 2, q_stride, kv_stride, 4)
    copy_block(ours, theirs)

    def hide_class_token(attention, *_):
        attention = attention.clone()
        attention[..., 0] = -torch.inf
        return attention

    monkeypatch.setattr(tv, "_add_rel_pos", hide_class_token)
    x = torch.nn.functional.layer_norm(torch.randn(2, 2, 8, 8, width), (width,), eps=1e-6)
    tokens = torch.cat([torch.zeros(2, 1, width), x.flatten(1, 3)], dim=1)
    expected, grid = theirs(tokens, (2, 8, 8))
    found = ours(x)
    assert tuple(found.shape[1:4]) == tuple(grid)
    close(found.flatten(1, 3), expected[:, 1:], 1e-5)


def copy_block(ours: Block, theirs: tv.MultiscaleBlock) -> None:
    """Give our block the weights of torchvision's."""
    own, other = ours.attention, theirs.attn
    pairs = [(ours.norm1, theirs.norm1), (ours.norm2, theirs.norm2), (own.qkv, other.qkv), (own.proj, other.project[0])]
    pairs += [(ours.mlp.fc1, theirs.mlp[0]), (ours.mlp.fc2, theirs.mlp[3])]
    if theirs.project is not None:
        pairs.append((ours.skip, theirs.project))
    for letter in "qkv":
        pooled = getattr(other, f"pool_{letter}")
        pairs += [(getattr(own, f"pool_{letter}"), pooled.pool), (getattr(own, f"norm_{letter}"), pooled.norm_act[0])]
    for mine, given in pairs:
        mine.load_state_dict(given.state_dict())


def test_drop_path_keeps_the_mean_and_whole_clips():
    torch.manual_seed(0)
    x = torch.ones(4000, 2, 3)
    dropped = drop_path(x, kept_clips(x, 0.3), 0.3)
    each = dropped.flatten(1)
    assert torch.equal(each.amin(1), each.amax(1))
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop_path(x, None, 0.3), x)
    block = Block(8, 8, 1, 1, 1, 4)
    assert block.draw_kept(x) == (None, None)
    block.drop_path = 0.3
    assert block.eval().draw_kept(x) == (None, None) and block.train().draw_kept(x)[0].shape == (4000, 1, 1)


def test_drop_path_grows_with_depth():
    backbone = MViT(TINY, 16)
    backbone.set_drop_path(0.4)
    assert [block.drop_path for block in backbone.blocks] == pytest.approx([0.0, 0.2, 0.4])


def test_positions_of_another_grid_keep_a_smooth_table():
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 6), torch.linspace(0, 1, 6), indexing="ij")
    table = torch.stack([rows, columns], -1).flatten(0, 1)
    assert torch.equal(resize_positions(table, 6), table)
    larger = resize_positions(table, 9).reshape(9, 9, 2)
    assert (larger[1:, :, 0] >= larger[:-1, :, 0] - 1e-6).all()
    assert larger.mean().item() == pytest.approx(0.5, abs=1e-3)


def make(seed=0, size=16, **changes):
    torch.manual_seed(seed)
    spec = Spec(model=TINY, size=size, classes={"a": ("x", "y"), "b": ("u", "v", "w")}, **changes)
    return Network(spec, projection_std=0.5).eval()


def test_output_has_one_type_whatever_the_switches():
    clips = torch.randn(3, 3, 4, 16, 16)
    plain, full = make()(clips), make(projections=True, expander=(12, 10))(clips)
    assert {name: tuple(y.shape) for name, y in plain.logits.items()} == {"a": (3, 2), "b": (3, 3)}
    assert torch.equal(plain.embedding, plain.features)
    assert full.embedding.shape == (3, 10)
    assert make().projected(clips) == {}


def spread(values):
    """Mean and deviation of weights, each in units of 0.02."""
    flat = torch.cat([value.detach().flatten() for value in values])
    return flat.mean().item() / 0.02, flat.std().item() / 0.02


def test_initial_weights_follow_the_releases_one_rule():
    """Every linear layer, the heads', the expander's and the projections' too, from std 0.02 with zero bias."""
    torch.manual_seed(0)
    classes = {name: tuple(map(str, range(count))) for name, count in (("a", 100), ("b", 120))}
    network = Network(Spec(model=TINY, size=16, classes=classes, projections=True, expander=(300, 200)))
    for part in (network.backbone, network.heads, network.projections, network.expander):
        linear = [module for module in part.modules() if isinstance(module, nn.Linear)]
        assert spread([module.weight for module in linear]) == pytest.approx((0, 1), abs=0.05)
        assert all((module.bias == 0).all() for module in linear if module.bias is not None)
    tables = [network.backbone.position_space, network.backbone.position_time]
    assert spread(tables) == pytest.approx((0, 1), abs=0.2)  # of 144 numbers
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all() and (module.bias == 0).all()
        if isinstance(module, nn.Conv3d):  # the framework's own rule: uniform within 1 / sqrt(fan in)
            bound = module.weight[0].numel() ** -0.5
            assert 0.8 * bound < module.weight.abs().max() <= bound


def test_a_linear_head_drops_features_and_then_is_one_layer():
    torch.manual_seed(0)
    head, z = make_head(1000, 1, 0, 0.25), torch.ones(200, 1000)
    torch.nn.init.ones_(head.weight)
    kept = head(z).detach() * 0.75  # those kept are scaled up
    assert kept.std() > 5 and kept.mean().item() == pytest.approx(750, abs=5)
    assert (head.eval()(z) == 1000).all()
    assert [name for name, _ in head.named_parameters()] == ["weight", "bias"]


def test_added_logits_are_equation_4():
    network = make(projections=True)
    logits = {"a": torch.randn(3, 2), "b": torch.randn(3, 3)}
    added = network.added(logits)
    weights = network.projections.weights()
    close(added["a"], logits["a"] + logits["b"] @ weights["b", "a"].T, 1e-6)
    close(added["b"], logits["b"] + logits["a"] @ weights["a", "b"].T, 1e-6)


def test_a_backbone_of_other_width_is_refused_and_of_other_size_resized():
    small, large = make(size=16), make(size=32, seed=1)
    large.load_backbone(small.backbone.state_dict(), "small.pt")
    assert torch.equal(large.backbone.blocks[0].norm1.weight, small.backbone.blocks[0].norm1.weight)
    other = MViT(TINY.model_copy(update={"channels": 16}), 16)
    with pytest.raises(UserError, match=r"other\.pt.*shape|other\.pt.*here"):
        small.load_backbone(other.state_dict(), "other.pt")


def test_normalisation():
    video = torch.randint(0, 256, (2, 3, 4, 8, 8), dtype=torch.uint8)
    constant = normalise(video, "constant")
    close(constant, (video / 255.0 - 0.45) / 0.225, 1e-6)
    own = normalise(video, "clip").double()
    assert own.mean(dim=(1, 2, 3, 4)).abs().max() < 1e-5  # float32, of values up to 2
    assert (own.flatten(1).std(1) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("how", ["Clip", "", None])
def test_an_unknown_normalisation_is_refused(how):
    with pytest.raises(ValueError, match="choose of constant, clip"):
        normalise(torch.zeros(1, 3, 2, 4, 4), how)
