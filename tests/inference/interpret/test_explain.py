"""Explanations of networks whose decisions are known: they look at one corner at one time, or at one patch."""

import json

import av
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import multitrain
from multitrain import cli
from multitrain.common.errors import UserError
from multitrain.config.scale import Scale
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.inference.interpret.attribution import METHODS, attribute, hide, marked, probability
from multitrain.inference.interpret.explain import explain, moved_masks
from multitrain.inference.predict import Recogniser
from multitrain.model.backbones.contract import backbone
from multitrain.model.files.metadata import make_card
from multitrain.model.network import Network, Spec
from tests.datasets.coded import write_video

FRAMES, SIZE = 4, 32
CORNER = (slice(0, FRAMES // 2), slice(0, SIZE // 4), slice(SIZE - SIZE // 4, SIZE))  # early, above, right


class Corner(nn.Module):
    """Features of the mean brightness in CORNER alone; with `grid` through a map of features by place."""

    def __init__(self, grid: bool):
        super().__init__()
        self.width = 2
        self.grid = nn.Conv3d(3, 2, (1, 8, 8), (1, 8, 8), bias=False) if grid else None
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]))
        if self.grid is not None:
            nn.init.constant_(self.grid.weight, 1 / 192)

    def forward(self, clips: Tensor) -> Tensor:
        if self.grid is not None:
            return self.weight * self.grid(clips)[:, :, : FRAMES // 2, 0, -1].mean(dim=2)
        return self.weight * clips[(..., *CORNER)].mean(dim=(1, 2, 3, 4))[:, None]


@backbone()
def corner(frames: int, size: int, grid: bool = False) -> Corner:
    return Corner(grid)


def of_corner(scale: Scale, grid: bool = False) -> Network:
    """A network whose class "bright" is likelier the brighter the corner."""
    settings = scale.model.model_copy(
        update={
            "backbone": f"{__name__}:corner",
            "backbone_options": {"grid": grid},
            "frames": FRAMES,
            "head_hidden": 0,
        }
    )
    network = Network(Spec(model=settings, size=SIZE, classes={"k400": ("bright", "dark")})).eval()
    with torch.no_grad():
        (head,) = (part for part in network.heads["k400"].modules() if isinstance(part, nn.Linear))
        head.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
        head.bias.zero_()
    network.card = make_card({"k400": scale.datasets["k400"]})
    return network


@pytest.fixture
def lit() -> Tensor:
    """A clip that is bright in CORNER and noise elsewhere."""
    clip = 0.1 * torch.randn(3, FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    clip[(..., *CORNER)] += 2
    return clip


@pytest.mark.parametrize(("method", "grid"), [("occlusion", False), ("occlusion", True), ("gradcam", True)])
def test_the_place_that_alone_counts_is_found(scale, lit, method, grid):
    network = of_corner(scale, grid)
    relevance = attribute(network, lit, "k400", 0, method)
    assert relevance.shape == (FRAMES, SIZE, SIZE)
    place = np.unravel_index(int(relevance.argmax()), relevance.shape)
    assert all(span.start <= at < span.stop for span, at in zip(CORNER, place, strict=True))
    mask = marked(relevance, 1 / 32)  # as many as the corner has
    inside = torch.zeros_like(mask)
    inside[CORNER] = True
    assert (mask & inside).sum() > 0.5 * inside.sum()
    hidden = [hide(lit, where) for where in (mask, *moved_masks(mask, 8))]
    whole, own, *others = probability(network, torch.stack([lit, *hidden]), "k400", 0).tolist()
    assert whole - own > 0.3 and whole - np.mean(others) < 0.1


def test_the_mean_of_the_boxes_that_cover_it_is_a_pixels_relevance(scale, lit):
    network = of_corner(scale)
    relevance = attribute(network, lit, "k400", 0, "occlusion", batch=7)
    torch.testing.assert_close(relevance, attribute(network, lit, "k400", 0, "occlusion", batch=500))
    far = relevance[FRAMES // 2 + 1 :, SIZE // 2 :, : SIZE // 2]
    torch.testing.assert_close(far, torch.zeros_like(far), atol=1e-6, rtol=0)  # no box there reaches the corner


def test_rollout_finds_the_patch_that_the_attention_takes(network):
    """The value of one patch is large in every block: what reaches the head comes from there."""
    torch.manual_seed(0)
    clip = torch.zeros(3, network.spec.model.frames, network.spec.size, network.spec.size)
    clip[:, :, -8:, -8:] = 3 * torch.randn(3, 1, 8, 8)
    relevance = attribute(network, clip, "k400", 0, "rollout")
    assert relevance.shape == clip.shape[1:] and relevance.min() >= 0
    with torch.no_grad():
        for block in network.backbone.blocks:
            block.attention.proj.weight.zero_()  # nothing of the attention counts: only the skip path is left
    flat = attribute(network, clip, "k400", 0, "rollout")
    assert flat.std() < 1e-6 * flat.mean() < relevance.std()


def test_gradcam_of_mvit_weighs_its_last_grid_by_the_gradient_of_the_class(network):
    clip = torch.randn(3, network.spec.model.frames, network.spec.size, network.spec.size)
    relevance = attribute(network, clip, "k400", 1, "gradcam")
    assert relevance.shape == clip.shape[1:] and relevance.min() >= 0
    assert all(weight.grad is None for weight in network.parameters())
    grids: list[Tensor] = []
    network.backbone.norm.register_forward_hook(lambda _, __, grid: grids.append(grid[0].detach()))  # (T', H', W', D)
    z = network.features(clip[None]).detach().requires_grad_()  # the mean of the grid's places
    (gradient,) = torch.autograd.grad(network.heads["k400"](z)[0, 1], z)
    expected = (grids[0] @ gradient[0]).relu() / grids[0][..., 0].numel()
    larger = nn.functional.interpolate(expected[None, None], clip.shape[1:], mode="trilinear")[0, 0]
    torch.testing.assert_close(relevance, larger)
    assert relevance.max() > 0


def test_a_method_that_a_backbone_has_nothing_for_is_refused(scale, lit):
    network = of_corner(scale)
    with pytest.raises(UserError, match="has no features by place: take occlusion"):
        attribute(network, lit, "k400", 0, "gradcam")
    with pytest.raises(UserError, match="rollout: is for mvit"):
        attribute(network, lit, "k400", 0, "rollout")


def bright(index: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3): grey, with a bright corner above and right in the first half of 24 frames."""
    frame = np.full((height, width, 3), 90, np.uint8)
    if index < 12:
        frame[: height // 4, -width // 4 :] = 250
    return frame


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "corner.mp4", 24, size=(64, 64), paint=bright)


def test_a_video_is_explained_with_its_times(scale, video):
    its = explain(Recogniser(of_corner(scale)), video)
    assert its.name == "bright" and its.frames.shape == (FRAMES, SIZE, SIZE, 3) and len(its.times) == FRAMES
    assert (np.diff(its.times) > 0).all() and its.moments.sum() == pytest.approx(1)
    assert its.moments[: FRAMES // 2].sum() > 0.6 and its.hidden < its.elsewhere < its.probability + 0.05
    assert its.relevance.min() >= 0 and its.relevance.max() == pytest.approx(1)
    other = explain(Recogniser(of_corner(scale)), video, name="dark")  # which hiding the corner makes likelier
    assert other.probability == pytest.approx(1 - its.probability, abs=1e-6) and other.relevance.min() == 0


def run(*arguments: object):
    return CliRunner().invoke(cli.app, ["explain", *map(str, arguments)])


@pytest.mark.parametrize("method", METHODS)
def test_the_command_writes_a_picture_a_video_and_the_values(model, videos, tmp_path, method):
    out = tmp_path / "out"
    said = run(model, videos / "upper half" / "0.mp4", "--dataset", "k400", "--method", method, "--out", out)
    assert said.exit_code == 0, said.output
    values = json.loads((out / "explanation.json").read_text())
    network = multitrain.load(model)
    assert values["class"] in network.spec.classes["k400"] and values["method"] == method
    assert f"{100 * values['probability']:.1f} %" in said.stdout
    assert sum(each["share_of_marked"] for each in values["frames"]) == pytest.approx(1, abs=1e-3)
    with av.open(str(out / "explanation.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == network.spec.model.frames and frames[0].shape[1] == 2 * frames[0].shape[0]
    assert (out / "explanation.png").stat().st_size > 10_000


def test_bad_input_is_one_line(model, videos, scale, tmp_path, capsys):
    video = videos / "upper half" / "0.mp4"
    single = tmp_path / "single.pt"
    save_network(single, of_corner(scale))
    cases = [
        ([model, video], "--dataset: the model has heads of k400, mit: choose one"),
        ([model, video, "--dataset", "ssv2"], "no dataset 'ssv2': the model has heads of"),
        ([single, video, "--class", "brigth"], "--class 'brigth': no class of k400: did you mean 'bright'?"),
        ([single, videos / "upper half" / "broken.mp4"], "broken.mp4: no video that can be used"),
        ([single, tmp_path / "none.mp4"], "none.mp4: cannot be read: No such file"),
        ([single, video, "--at", "1e3"], "nothing at 1000 s: the video has"),
        ([single, video, "--method", "rollout"], "--method rollout: is for mvit"),
        ([single, video, "--out", video], "is a file: name a folder"),
    ]
    for arguments, message in cases:
        with pytest.raises(SystemExit):
            cli.run(["explain", *map(str, arguments)])
        error = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note:")]
        assert len(error) == 1 and message in error[0], (arguments, error)
