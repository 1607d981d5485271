"""Backbones: built in, of torchvision, and of a file of the user's."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from multitrain.common.errors import UserError
from multitrain.config.model_settings import Backbone, Model
from multitrain.model.backbones.build import build_backbone, check_backbone, kept_buffers
from multitrain.model.backbones.declarations import built_in, require_declared
from multitrain.model.backbones.initial import read_state_dict
from multitrain.model.files.model_folder import load_folder, save_folder
from multitrain.model.files.release import export_release
from multitrain.model.network import Network, Spec

CLASSES = {"a": ("x", "y")}
OWN = """
import torch
from torch import nn
from multitrain.model.backbones.contract import backbone

class Net(nn.Module):
    def __init__(self, channels, **more):
        super().__init__()
        self.conv = nn.Conv3d(3, channels, 3, padding=1)
        self.__dict__.update(more)
    def forward(self, clips):
        return self.conv(clips).mean((2, 3, 4))

@backbone()
def small(frames, size, channels=6):
    return Net(channels)

@backbone()
def wide(frames, size):
    return Net(6, width=7)

@backbone()
def nothing(frames, size):
    return 3

@backbone()
def maps(frames, size):
    return nn.Conv3d(3, 4, 1)

@backbone()
def infinite(frames, size):
    net = Net(6)
    nn.init.constant_(net.conv.weight, float("nan"))
    return net

@backbone()
def idle(frames, size):
    net = Net(6)
    net.spare = nn.Parameter(torch.zeros(3))
    return net

@backbone()
def broken(frames, size):
    raise ValueError("no luck")

@backbone()
def pixels(size):
    return Net(6)

@backbone()
def required(frames, size, channels):
    return Net(channels)

def unmarked(frames, size):
    return Net(6)
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    """The name of a module in the current directory."""
    (tmp_path / "own_nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    yield "own_nets"
    sys.modules.pop("own_nets", None)
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))
    importlib.invalidate_caches()


def network(backbone: str, size: int = 32, **options: object) -> Network:
    model = Model(backbone=backbone, backbone_options=options, frames=4, head_hidden=0)
    return Network(Spec(model=model, size=size, classes=CLASSES))


def test_the_built_in_ones_are_found_in_their_source():
    assert {"mvit", "cnn3d", "torchvision:"} == set(built_in())


@pytest.mark.parametrize(
    ("name", "width"), [("cnn3d", 96), ("torchvision:r3d_18", 512), ("torchvision:mvit_v2_s", 768)]
)
def test_features_have_the_stated_width(name: str, width: int):
    made = network(name).eval()
    assert made.backbone.width == width
    assert made.features(torch.zeros(2, 3, 4, 32, 32)).shape == (2, width)


def test_cnn3d_sees_each_clip_alone_and_is_the_same_when_activations_are_recomputed():
    made, clips = network("cnn3d").train(), torch.randn(3, 3, 4, 32, 32)
    z = made.features(clips)
    assert torch.allclose(z[:1], made.features(clips[:1]), atol=1e-6)
    made.backbone.checkpointing = True
    assert torch.equal(z, made.features(clips))


@pytest.mark.parametrize(
    ("options", "message"), [({"channels": 12}, "multiple of group 8"), ({"depths": [1] * 5}, "size 32 is below 64")]
)
def test_cnn3d_refuses_sizes(options: dict, message: str):
    with pytest.raises(UserError, match=message):
        network("cnn3d", **options)


def test_a_function_of_the_user_is_called_and_its_width_measured(module):
    made = network(f"{module}:small", channels=5)
    assert made.backbone.width == 5
    check_backbone(made.backbone, made.spec.model, 32)


def test_building_draws_the_same_numbers_whether_a_width_is_measured_or_not(module):
    torch.manual_seed(0)
    made = network(f"{module}:small")
    torch.manual_seed(0)
    nn.Conv3d(3, 6, 3, padding=1)
    head = nn.Linear(6, 2)
    nn.init.trunc_normal_(head.weight, std=0.02)
    assert torch.equal(made.heads["a"].weight, head.weight)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("own_netz:small", {}, "no module 'own_netz'.*PYTHONPATH"),
        ("own_nets:smal", {}, "declares no backbone 'smal' .*did you mean 'small'"),
        ("own_nets:unmarked", {}, r"write @backbone\(\)"),
        ("own_nets:small", {"chanels": 3}, "backbone_options: own_nets:small takes no 'chanels': did you mean 'chan"),
        ("own_nets:required", {}, "missing a required argument: 'channels'"),
        ("own_nets:pixels", {}, "takes no argument 'frames'"),
        ("own_nets:broken", {}, "own_nets.py, line .*ValueError: no luck"),
        ("own_nets:nothing", {}, "gave a int and no torch module"),
        ("own_nets:maps", {}, r"gives torch.float32 \(1, 4, 4, 32, 32\) .*return features"),
        ("own_nets:wide", {}, r"has width 7, and its features are \(2, 6\)"),
        ("own_nets:infinite", {}, "NaN or infinity"),
        ("own_nets:idle", {}, "does not depend on its weight spare"),
        ("torchvision:r3d_19", {}, "no such video network: did you mean 'r3d_18'"),
        ("torchvision:r3d_18", {"weights": "DEFAULT"}, "takes no 'weights' here"),
        ("torchvision:s3d", {}, "fails on clips of 2 x 3 x 4 x 32 x 32.*choose frames and size"),
        ("cnn3", {}, "no backbone 'cnn3': did you mean 'cnn3d'"),
        ("cnn3d", {"width": 3}, "cnn3d takes no 'width'"),
    ],
)
def test_a_wrong_backbone_is_one_line_with_its_cure(module, name: str, options: dict, message: str):
    with pytest.raises(UserError, match=message) as error:
        made = network(name, **options)
        check_backbone(made.backbone, made.spec.model, 32)
    assert "\n" not in str(error.value) and "backbone" in str(error.value)


def test_a_module_is_not_run_before_its_source_declares_the_backbone(module, tmp_path):
    (tmp_path / "own_nets.py").write_text("raise SystemExit('run')\ndef small(frames, size): ...\n")
    with pytest.raises(UserError, match="declares no backbone"):
        network(f"{module}:small")
    (tmp_path / "own_nets.py").write_text("def (")
    with pytest.raises(UserError, match="no valid Python"):
        require_declared(f"{module}:small", "backbone")


def test_torchvision_is_needed_only_where_it_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    network("cnn3d")
    with pytest.raises(UserError, match="torchvision is not installed: `pip install torchvision`"):
        network("torchvision:r3d_18")


def test_files_of_weights(tmp_path: Path):
    from torchvision.models.video import r3d_18

    torch.manual_seed(1)
    given, file = r3d_18(), tmp_path / "r3d.pt"
    torch.save(given.state_dict(), file)
    made = network("torchvision:r3d_18")
    made.load_backbone(read_state_dict(file, made.backbone), str(file))
    assert torch.equal(made.backbone.layer4[0].conv1[0].weight, given.layer4[0].conv1[0].weight)
    with pytest.raises(UserError, match="does not fit this model"):
        cnn = network("cnn3d")
        cnn.load_backbone(read_state_dict(file, cnn.backbone), str(file))
    torch.save({"epoch": 3}, file)
    with pytest.raises(UserError, match="holds other things than named weights"):
        read_state_dict(file, made.backbone)
    with pytest.raises(UserError, match="no such file: backbone_weights"):
        read_state_dict(tmp_path / "absent.pt", made.backbone)


def test_model_folders_keep_the_backbone_and_its_counters(tmp_path: Path):
    made = network("torchvision:r3d_18").eval()
    made.backbone.stem[1].num_batches_tracked += 7
    save_folder(tmp_path / "net", made)
    found = load_folder(tmp_path / "net")
    assert found.spec == made.spec and found.backbone.stem[1].num_batches_tracked == 7
    clips = torch.randn(1, 3, 4, 32, 32)
    assert torch.equal(found.features(clips), made.features(clips))
    assert "network on torchvision:r3d_18" in (tmp_path / "net/README.md").read_text()
    with pytest.raises(UserError, match="the release's code has no backbone torchvision:r3d_18"):
        export_release(made, tmp_path / "net.pyth")


def test_a_default_is_written_nowhere():
    assert "backbone" not in Model().model_dump_json()
    assert Model.model_validate_json(Model(backbone="cnn3d").model_dump_json()).backbone == "cnn3d"


def test_options_of_mvit_become_keys_of_the_model():
    model = Model().with_backbone(Backbone(backbone_options={"channels": 8, "depths": [1, 1]}))
    assert (model.channels, model.depths, model.backbone_options) == (8, (1, 1), {})
    with pytest.raises(ValueError, match=r"backbone_options.frames: mvit has channels"):
        Model().with_backbone(Backbone(backbone_options={"frames": 8}))


def test_kept_buffers_undo_what_a_forward_pass_changes():
    norm = nn.BatchNorm1d(3).train()
    with kept_buffers(norm):
        norm(torch.randn(4, 3))
        assert norm.num_batches_tracked == 1
    assert norm.num_batches_tracked == 0 and not norm.running_mean.any()


def test_a_backbone_is_built_from_the_model_alone():
    assert build_backbone(Model(backbone="cnn3d", frames=4), 32).width == 96
