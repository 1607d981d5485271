"""Initial weights of the backbone from a file in place of a run's model, if that model fits."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.engine.setup import build_network, init_record
from multitrain.engine.train import train
from multitrain.model.files.release import export_release, import_release
from multitrain.model.network import Network

CPU = torch.device("cpu")
REFERENCE = Path(__file__).parents[1] / "reference"
CLASSES = {"k400": ("a", "b"), "mit": ("c", "d", "e")}


def network_like(job, seed: int = 5, size: int | None = None, **model: object) -> Network:
    """A model of one dataset with heads unlike the job's."""
    spec = build_network(replace(job, name="k400_baseline"), CLASSES).spec
    torch.manual_seed(seed)
    changed = spec.model.model_copy(update=model)
    return Network(
        spec.model_copy(update={"classes": {"other": tuple("xyz")}, "model": changed, "size": size or spec.size})
    )


def backbone(network: Network) -> dict:
    return network.backbone.state_dict()


@pytest.mark.parametrize("suffix", ["pt", "pyth"])
def test_a_file_stands_in_for_the_model_of_its_run(job, tmp_path, suffix):
    run, path = job("joint"), tmp_path / f"given.{suffix}"
    given = network_like(run)
    (save_network(path, given) if suffix == "pt" else export_release(given, path))
    found = build_network(replace(run, pretrained={"k400_baseline": path}), CLASSES)
    weights = backbone(given)
    assert all(torch.equal(value, weights[name]) for name, value in backbone(found).items())
    assert list(found.heads) == ["k400", "mit"]
    record = init_record(replace(run, pretrained={"k400_baseline": path}))
    assert record == {
        "run": "k400_baseline",
        "file": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    other = network_like(run, seed=6)
    (save_network(path, other) if suffix == "pt" else export_release(other, path))
    again = build_network(replace(run, pretrained={"k400_baseline": path}), CLASSES)
    assert not torch.equal(again.backbone.position_time, found.backbone.position_time)


def test_the_same_weights_are_the_same_run_whichever_file_they_are_in(job, tmp_path):
    """Trained from the run's own model, from a copy of it elsewhere, and from its export: the same bytes."""
    train(job("k400_baseline"), CPU)
    model = job("k400_baseline").folder / "model.pt"
    export_release(load_network(model), tmp_path / "k400.pyth")
    (tmp_path / "copy.pt").write_bytes(model.read_bytes())
    train(job("joint"), CPU)
    expected = (job("joint").folder / "model.pt").read_bytes()
    for name in ("copy.pt", "k400.pyth"):
        elsewhere = job("joint", results=tmp_path / name.split(".")[1])
        run = replace(elsewhere, pretrained={"k400_baseline": tmp_path / name})
        train(run, CPU)
        assert (run.folder / "model.pt").read_bytes() == expected
        record = json.loads((run.folder / "run.json").read_text())["init"]
        assert (record["run"], record["file"]) == ("k400_baseline", str(tmp_path / name))
    assert json.loads((job("joint").folder / "run.json").read_text())["init"] == "k400_baseline"


def test_positions_of_another_size_are_resized(job, tmp_path):
    run = job("joint")
    given = network_like(run, size=run.size * 2)
    export_release(given, tmp_path / "large.pyth")
    found = build_network(replace(run, pretrained={"k400_baseline": tmp_path / "large.pyth"}), CLASSES)
    assert found.backbone.position_space.shape != given.backbone.position_space.shape
    assert torch.equal(found.backbone.position_time, given.backbone.position_time)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 48}, "its backbone does not fit this model"),
        ({"depths": (1, 2)}, "its backbone does not fit this model"),
        ({"frames": 8}, "position_time"),
        ({"kv_stride": 1}, "made with kv_stride 1, and this model has"),
        ({"normalisation": "constant"}, "made with normalisation constant, and this model has clip"),
    ],
)
def test_a_file_that_does_not_fit_is_named(job, tmp_path, change, message):
    run = job("joint")
    export_release(network_like(run, **change), tmp_path / "given.pyth")
    with pytest.raises(UserError, match=r"given\.pyth") as error:
        build_network(replace(run, pretrained={"k400_baseline": tmp_path / "given.pyth"}), CLASSES)
    assert message in str(error.value)


def test_the_release_itself_gives_initial_weights(job, tmp_path):
    """Parity: a run of the reference's own model starts with the weights of the release's file."""
    released = import_release(REFERENCE / "tiny.pyth")
    run = job("joint")
    scale = run.scale.model_copy(update={"model": released.spec.model, "sizes": {"base": 32, "large": 48}})
    run = replace(run, scale=scale, pretrained={"k400_baseline": REFERENCE / "tiny.pyth"})
    content = torch.load(REFERENCE / "tiny.pyth", weights_only=True)["model_state"]
    found = build_network(run, CLASSES)
    assert torch.equal(found.backbone.position_space, content["pos_embed_spatial"][0])
    assert torch.equal(found.backbone.blocks[1].skip.weight, content["blocks.1.proj_max_pool.weight"])
    clips = torch.randn(2, 3, 4, 32, 32)
    assert torch.equal(found.eval().features(clips), released.eval().features(clips))


def test_a_file_that_is_gone_or_of_another_kind_is_one_line(job, tmp_path):
    (tmp_path / "text.pyth").write_text("no checkpoint")
    (tmp_path / "release.pt").write_bytes((REFERENCE / "tiny.pyth").read_bytes())
    for name, message in (
        ("absent.pyth", "no such file"),
        ("absent.pt", "no such file"),
        ("text.pyth", "damaged"),
        ("release.pt", "import a release's file with `checkpoint import`"),
    ):
        with pytest.raises(UserError, match=name) as error:
            build_network(replace(job("joint"), pretrained={"k400_baseline": tmp_path / name}), CLASSES)
        assert message in str(error.value)
