"""What the page on library use shows is run as it stands there."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import multitrain
from multitrain import cli
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.model.files.metadata import make_card
from multitrain.model.network import Network, Spec
from tests.guide_pages import blocks, commands, read
from tests.interfaces import INTERFACES

ROOT = Path(__file__).parents[1]
PAGE = "library.md"


@pytest.fixture
def place(scale, data, tmp_path, monkeypatch) -> Path:
    """A folder with what the page names: a model of two heads, a video, prepared data."""
    classes = {name: read_manifest(data / "ci" / name / "manifest.parquet").classes for name in ("k400", "mit")}
    torch.manual_seed(0)
    network = Network(Spec(model=scale.model, size=scale.sizes["base"], classes=classes, projections=True))
    card = make_card({name: scale.datasets[name] for name in classes})
    save_network(tmp_path / "model.pt", network, card)
    clip = next(iter(sorted((data / "ci" / "k400" / "videos").rglob("*.mp4"))))
    shutil.copy(clip, tmp_path / "video.mp4")
    (tmp_path / "data").symlink_to(data)
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(source: str, names: dict) -> None:
    exec(compile(source, "page", "exec"), names)


def test_every_block_of_the_library_page_runs(place, capsys):
    names: dict = {}
    found = blocks(PAGE, "python")
    assert len(found) == 12
    (command,) = (words for words in commands(PAGE) if words[:2] == ["multitrain", "features"])
    assert CliRunner().invoke(cli.app, command[1:]).exit_code == 0
    for source in found:
        if not any(f"import {name}\n" in source for name in INTERFACES):
            run(source, names)
    said = capsys.readouterr().out
    assert set(names["answer"].scores) == {"k400"} and "k400" in said and "mit" in said
    again = multitrain.load(place / "saved").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in names["network"].state_dict().items())
    assert names["clip"].shape[0] == 8 and {tuple(crop.shape) for crop in names["crops"]} == {(8, 3, 32, 32)}
    spec = names["network"].spec
    features = names["features"]
    assert features.shape == (len(names["rows"]), names["network"].backbone.width) and features.dtype == "float32"
    text = read(PAGE)
    assert all(column in text for column in names["rows"]) and all(f"`{key}`" in text for key in names["said"])
    assert names["views"].shape[1:] == (3, spec.model.frames, spec.size, spec.size)


@pytest.mark.parametrize("name", INTERFACES)
@pytest.mark.parametrize("real", [False, True], ids=["interface", "package"])
def test_the_method_is_trained_by(place, name, real, monkeypatch):
    """By the package itself where it is installed, and anywhere by what its documentation says that it calls."""
    if real:
        pytest.importorskip(name)
    else:
        monkeypatch.setitem(sys.modules, name, INTERFACES[name])
    names: dict = {"multitrain": multitrain, "network": multitrain.load("model.pt")}
    needed = ("r3d_18", "import normalise", "import MixingSampler", "def make_method", f"import {name}\n")
    for source in [block for block in blocks(PAGE, "python") if any(word in block for word in needed)]:
        torch.manual_seed(0)
        run(source, names)
    module = names["lightning_method"].method if name == "lightning" else names["hf_trainer"].model
    torch.manual_seed(0)
    before = names["make_method"]().state_dict()
    assert not [key for key, weight in module.state_dict().items() if torch.equal(weight, before[key])]


def test_the_other_backbone_is_trained_by_every_part_of_the_method():
    (source,) = (block for block in blocks(PAGE, "python") if "r3d_18" in block)
    torch.manual_seed(0)
    names: dict = {}
    run(source, names)
    assert torch.isfinite(names["terms"].total)
    for part in ("backbone", "heads", "projections", "expander", "objective"):
        gradients = [parameter.grad for parameter in names[part].parameters()]
        assert gradients and all(gradient is not None and gradient.isfinite().all() for gradient in gradients), part
        assert any(gradient.abs().sum() > 0 for gradient in gradients), part
    lines = [
        line for line in source.splitlines() if line.strip() and not line.startswith(("import", "from", "classes"))
    ]
    assert len(lines) <= 15
