"""What is exported says what the network says, for any batch, and tells how to be used; else nothing is left."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.config.scale import Model
from multitrain.inference import export
from multitrain.inference.export import check, describe, export_onnx, export_program
from multitrain.model.files.metadata import assumed_card
from multitrain.model.network import Network, Spec, normalise
from tests.guide_pages import blocks
from tests.test_library import run

TINY = Model(frames=4, channels=8, depths=(1, 1), patch_kernel=(3, 7, 7), kv_stride=2, head_hidden=16, head_dropout=0.5)
pytestmark = pytest.mark.xdist_group("export")  # one test process, so that each file is made once

CLASSES = {"k400": ("run", "jump", "sit"), "mit": ("run", "höher")}
PATHS = (b"site-packages", b"multitrain/model", bytes(Path(export.__file__).parents[2]))

TOLERANCE = 1e-5  # of an output's largest value: some 80 roundings of float32


def assert_near(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Relative to the output as a whole: a sum of terms that cancel is rounded as its terms are."""
    torch.testing.assert_close(found, wanted, rtol=0, atol=TOLERANCE * wanted.abs().max().item())


def network(normalisation: str = "constant", classes=CLASSES, **spec) -> Network:
    torch.manual_seed(0)
    model = TINY.model_copy(update={"normalisation": normalisation})
    made = Network(Spec(model=model, size=16, classes=classes, **spec)).eval()
    made.card = assumed_card(classes)
    for parameter in made.heads.parameters():  # initial logits are too near zero to be told apart
        torch.nn.init.normal_(parameter)
    return made


def clips(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, 3, 4, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def answers(made: Network, video: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        output = made(normalise(video, made.spec.model.normalisation))
    return {"z": output.features, **output.logits}


@pytest.fixture(scope="module")
def joint() -> Network:
    return network("clip", projections=True, expander=(16, 32))


@pytest.fixture(scope="module")
def program(joint, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("program") / "new folder" / "model.pt2"
    assert export_program(joint, out) <= TOLERANCE
    return out


@pytest.fixture(scope="module")
def onnx_file(joint, tmp_path_factory) -> Path:
    for name in export.ONNX_PACKAGES:
        pytest.importorskip(name, reason="the optional package is not installed")
    out = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(joint, out, clips(2)) <= TOLERANCE
    return out


def test_a_program_answers_as_the_network_in_any_batch(joint, program):
    extra = {export.DESCRIPTION: ""}
    run = torch.export.load(program, extra_files=extra).module()
    for size in (1, 2, 7):
        found = run(clips(size))
        wanted = answers(joint, clips(size))
        assert list(found) == list(wanted) == ["z", "k400", "mit"]
        for name in wanted:
            assert_near(found[name], wanted[name])
    assert json.loads(extra[export.DESCRIPTION]) == json.loads(json.dumps(describe(joint)))


def test_a_program_has_no_weight_of_training_alone(joint, program):
    names = set(torch.export.load(program).state_dict)
    assert names == {name for name in joint.state_dict() if name.startswith(("backbone.", "heads."))}
    assert len(names) < len(joint.state_dict())


def test_onnx_answers_as_the_network_in_any_batch(joint, onnx_file):
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (pixels,) = session.get_inputs()
    assert (pixels.name, pixels.type, pixels.shape) == ("clips", "tensor(uint8)", ["batch", 3, 4, 16, 16])
    assert [value.name for value in session.get_outputs()] == ["z", "k400", "mit"]
    assert session.get_outputs()[1].shape == ["batch", 3]
    for size in (1, 2, 7):
        wanted = answers(joint, clips(size))
        for value, array in zip(session.get_outputs(), session.run(None, {"clips": clips(size).numpy()}), strict=True):
            assert_near(torch.from_numpy(array), wanted[value.name])


def test_onnx_is_described_within_and_beside(joint, onnx_file):
    import onnx

    beside = json.loads(onnx_file.with_name("model.onnx.json").read_text())
    loaded = onnx.load(onnx_file)
    onnx.checker.check_model(loaded)
    assert not any(node.metadata_props for node in loaded.graph.node)
    (entry,) = loaded.metadata_props
    assert entry.key == "multitrain"
    assert json.loads(entry.value) == beside == json.loads(json.dumps(describe(joint)))
    assert beside["outputs"]["mit"] == {
        "shape": ["batch", 2],
        "values": "logits; softmax, then mean over a video's views",
        "classes": ["run", "höher"],
    }
    assert beside["input"]["shape"] == ["batch", 3, 4, 16, 16]
    assert beside["card"]["datasets"]["k400"]["frames"]["sampling"] == {"kind": "dense", "stride": 3}


def test_no_path_is_in_a_file(program, onnx_file):
    for made in (program, onnx_file):
        assert not [path for path in PATHS if path in made.read_bytes()]


@pytest.mark.slow  # both are made again
def test_the_same_model_gives_the_same_bytes(joint, program, onnx_file, tmp_path):
    export_program(joint, tmp_path / "again.pt2")
    export_onnx(joint, tmp_path / "again.onnx")
    for made, again in ((program, "again.pt2"), (onnx_file, "again.onnx")):
        assert (tmp_path / again).read_bytes() == made.read_bytes()


def test_the_blocks_of_the_page_run(joint, program, onnx_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for made in (program, onnx_file):
        Path(made.name).symlink_to(made)
    on_onnx, on_program = blocks("export.md", "python")
    run(on_program, {})
    run(on_onnx, {})
    dataset, name = capsys.readouterr().out.strip().split(maxsplit=1)
    assert name in joint.spec.classes[dataset]


@pytest.mark.parametrize("how", ["constant", "clip"])
def test_pixels_are_normalised_within(how):
    made = network(how)
    other = export.Exported(made).eval()
    check(other, made, "model.onnx", clips(2))
    other.normalisation = {"constant": "clip", "clip": "constant"}[how]
    with pytest.raises(
        UserError, match=r"model\.onnx: \w+ differs from the network's by .* of its largest .*nothing is written"
    ):
        check(other, made, "model.onnx")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda found: found | {"k400": found["k400"] + 2e-4 * found["k400"].abs().max()},
        lambda found: found | {"k400": found["k400"][:1]},
        lambda found: {"z": found["z"], "k400": found["k400"]},
        lambda found: found | {"extra": found["z"]},
        lambda found: found | {"mit": found["mit"] * float("nan")},
        lambda found: found | {"z": found["z"].flip(0)},  # clips mixed up; seen with more than one
    ],
)
def test_the_check_finds_what_is_wrong(wrong):
    made = network()
    right = export.Exported(made).eval()
    assert check(right, made, "m") == 0
    with pytest.raises(UserError, match="nothing is written"):
        check(lambda video: wrong(right(video)), made, "m")


def test_real_clips_are_checked_too():
    made = network()
    right = export.Exported(made).eval()
    real = torch.full((5, 3, 4, 16, 16), 77, dtype=torch.uint8)

    def run(video):
        found = right(video)
        return found | {"mit": found["mit"] + 1.0} if (video == 77).all() else found

    check(run, made, "m")
    with pytest.raises(UserError, match="mit differs"):
        check(run, made, "m", real)


def test_a_file_that_differs_is_not_left(joint, program, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "_program", lambda *_: torch.export.load(program))
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs"):
        export_program(joint, tmp_path / "m.pt2")
    assert not list(tmp_path.iterdir())


def test_a_dataset_named_as_an_output_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"dataset 'z': .*rename"):
        export_program(network(classes={"z": ("a", "b")}), tmp_path / "m.pt2")


def test_without_the_packages_the_error_says_what_to_install(monkeypatch, tmp_path):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("onnx", "onnxruntime") else there("io")
    )
    with pytest.raises(UserError, match=r"`pip install onnx onnxruntime`") as caught:
        export_onnx(network(), tmp_path / "m.onnx")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("backbone", ["torchvision:r3d_18", "cnn3d"])
def test_other_backbones_are_exported(backbone: str, tmp_path: Path):
    """Both writers check the file's outputs against the network's, for batches of 1 to 3."""
    torch.manual_seed(0)
    model = Model(backbone=backbone, frames=4, head_hidden=0)
    made = Network(Spec(model=model, size=32, classes=CLASSES)).eval()
    assert export_program(made, tmp_path / "net.pt2") <= export.TOLERANCE
    if all(importlib.util.find_spec(name) for name in export.ONNX_PACKAGES):
        assert export_onnx(made, tmp_path / "net.onnx") <= export.TOLERANCE


def test_a_program_in_half_precision_is_near_half_as_large_and_leaves_the_network_alone(joint, program, tmp_path):
    before = {name: weight.clone() for name, weight in joint.state_dict().items()}
    out, extra = tmp_path / "half.pt2", {export.DESCRIPTION: ""}
    assert 1e-5 < export_program(joint, out, clips(2), half=True) <= export.TOLERANCE_HALF
    loaded = torch.export.load(out, extra_files=extra)
    assert {weight.dtype for weight in loaded.state_dict.values()} == {torch.float16}
    assert all(torch.equal(weight, before[name]) for name, weight in joint.state_dict().items())
    found, wanted = loaded.module()(clips(3)), answers(joint, clips(3))
    for name, value in wanted.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=0, atol=2e-2 * value.abs().max().item())
    assert json.loads(extra[export.DESCRIPTION])["weights"] == "float16" and "weights" not in describe(joint)


def test_onnx_in_half_precision_is_near(joint, tmp_path):
    for name in export.ONNX_PACKAGES:
        pytest.importorskip(name, reason="the optional package is not installed")
    assert 1e-5 < export_onnx(joint, tmp_path / "half.onnx", half=True) <= export.TOLERANCE_HALF
    assert json.loads((tmp_path / "half.onnx.json").read_text())["weights"] == "float16"


def test_half_precision_that_is_off_is_told_to_be_left_out(joint, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE_HALF", 1e-9)
    with pytest.raises(UserError, match="nothing is written; leave out --half"):
        export_program(joint, tmp_path / "half.pt2", half=True)
    assert not list(tmp_path.iterdir())
