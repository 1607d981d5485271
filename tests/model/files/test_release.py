"""Checkpoints of the authors' release: our network gives the release's numbers, and every weight is accounted for."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from multitrain.common.errors import UserError
from multitrain.config.scale import Model
from multitrain.losses.objective import Objective
from multitrain.model.files.metadata import assumed_card
from multitrain.model.files.release import export_release, import_release, release_name
from multitrain.model.network import Network, Spec

REFERENCE = Path(__file__).parents[2] / "reference"
MODEL = Model(frames=4, channels=8, depths=(1, 2), patch_kernel=(3, 5, 7), kv_stride=4, mlp_ratio=2, head_hidden=12)
ONE, MORE = {"k400": ("run", "jump")}, {"k400": ("run", "jump"), "mit": ("a", "b", "c"), "s_v2": ("x", "y")}


@pytest.fixture(scope="module")
def reference():
    return {name: torch.from_numpy(value) for name, value in np.load(REFERENCE / "tiny.npz").items() if value.ndim}


@pytest.fixture(scope="module")
def scalars():
    return {name: float(value) for name, value in np.load(REFERENCE / "tiny.npz").items() if not value.ndim}


@pytest.fixture(scope="module")
def released():
    return import_release(REFERENCE / "tiny.pyth").eval()


def close(ours, theirs, tolerance):
    """Compare by a part of the largest value: the sums behind every value have terms as large as that.

    1e-5 is eight times the effect of the order of summation (AVX-512, AVX2, or neither).
    """
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * theirs.abs().max().item())


def test_outputs_of_the_release(released, reference):
    output = released(reference["clips"])
    close(output.features, reference["features"], 1e-5)
    close(output.embedding, reference["embedding"], 1e-5)
    for name, logits in output.logits.items():
        close(logits, reference[f"logits.{name}"], 1e-5)
        close(logits.softmax(-1), reference[f"softmax.{name}"], 1e-5)
    projected = released.projected(reference["clips"])
    assert len(projected) == 6
    for (source, target), logits in projected.items():
        close(logits, reference[f"projected.{source}_{target}"], 1e-5)


def test_losses_and_gradients_of_the_release(released, reference, scalars):
    released.zero_grad()
    output = released(reference["clips"])
    names = tuple(released.spec.classes)
    arguments = (output.logits, output.embedding, released.projections.weights())
    where = (reference["labels"], reference["dataset_index"])
    separate = Objective(names, True, "separate", "fixed")(*arguments, *where)
    added = Objective(names, True, "add", "fixed")(*arguments, *where)
    assert sum(separate.classification.values()).item() == pytest.approx(scalars["loss.projection_separate"], rel=1e-5)
    assert sum(added.classification.values()).item() == pytest.approx(scalars["loss.projection_added"], rel=1e-5)
    assert added.variance.item() == pytest.approx(scalars["loss.variance"], rel=1e-5)
    assert added.covariance.item() == pytest.approx(scalars["loss.covariance"], rel=1e-5)
    assert added.total.item() == pytest.approx(scalars["loss.total_unweighted"], rel=1e-5)
    added.total.backward()
    compared = 0
    for name, parameter in released.named_parameters():
        if (expected := reference.get(f"grad.{release_name(name)}")) is not None:
            close(parameter.grad, expected.reshape(parameter.shape), 1e-4)
            compared += 1
    assert compared == sum(name.startswith("grad.") for name in reference) == 7


def test_an_import_names_what_does_not_fit(tmp_path):
    content = torch.load(REFERENCE / "tiny.pyth", weights_only=True)
    state = content["model_state"]
    for name, change in {
        "head.heads.mit.fc2.weight": lambda: state.pop("head.heads.mit.fc2.weight"),
        "norm.weight": lambda: state.update({"norm.weight": torch.zeros(3)}),
        "surplus": lambda: state.update(surplus=torch.zeros(3)),
    }.items():
        kept = dict(state)
        change()
        torch.save({"model_state": state, "cfg": content["cfg"]}, tmp_path / "changed.pyth")
        with pytest.raises(UserError, match=r"changed\.pyth") as error:
            import_release(tmp_path / "changed.pyth")
        if name != "head.heads.mit.fc2.weight":
            assert name in str(error.value)
        state.clear()
        state.update(kept)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_a_checkpoint_of_one_dataset_is_read(tmp_path, head, reference):
    content = torch.load(REFERENCE / "tiny.pyth", weights_only=True)
    state = {name: w for name, w in content["model_state"].items() if not name.startswith(("head.", "expander."))}
    if head == "linear":
        state |= {"head.projection.weight": torch.randn(9, 64), "head.projection.bias": torch.randn(9)}
    else:
        kept = {name: w for name, w in content["model_state"].items() if name.startswith("head.heads.mit.")}
        state |= {name.replace("head.heads.mit.", "head.projection."): w for name, w in kept.items()}
    torch.save({"model_state": state, "cfg": content["cfg"]}, tmp_path / "one.pyth")
    network = import_release(tmp_path / "one.pyth").eval()
    logits = network.logits(reference["clips"])["own"]
    if head == "linear":
        expected = reference["features"] @ state["head.projection.weight"].T + state["head.projection.bias"]
    else:
        expected = reference["logits.mit"]
    close(logits, expected, 1e-4)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harm",))

    torch.save({"model_state": Harm()}, tmp_path / "evil.pyth")
    with pytest.raises(UserError, match=r"evil\.pyth: damaged, or no file of weights alone") as error:
        import_release(tmp_path / "evil.pyth")
    assert "weights_only" not in str(error.value)  # torch's own message advises to execute the file
    assert not (tmp_path / "harm").exists()


def spec(classes: dict = MORE, projections: bool = False, expander: tuple | None = None, **model: object) -> Spec:
    changed = MODEL.model_copy(update=model)
    return Spec(model=changed, size=16, classes=classes, projections=projections, expander=expander)


KINDS = {
    "joint": spec(projections=True, expander=(20, 10)),
    "vanilla": spec(),
    "linear heads": spec(projections=True, head_hidden=0),
    "only the informative loss": spec(expander=(20, 10), normalisation="clip", head_dropout=0.25),
    "one dataset": spec(ONE),
    "one dataset, linear": spec(ONE, head_hidden=0),
    "one dataset, expander": spec(ONE, expander=(20, 10)),
    "three stages of heads": spec(heads=2, depths=(1, 1, 2)),
}

SMALL = KINDS["vanilla"].model_copy(update={"size": 6})  # less than the strides can take


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_is_imported_bit_for_bit(kind, tmp_path):
    torch.manual_seed(0)
    network = Network(KINDS[kind])
    export_release(network, tmp_path / "model.pyth")
    found = import_release(tmp_path / "model.pyth")
    assert found.spec == network.spec and found.card is None
    weights = network.state_dict()
    assert list(found.state_dict()) == list(weights)
    assert all(torch.equal(value, weights[name]) for name, value in found.state_dict().items())
    export_release(found, tmp_path / "again.pyth")
    assert (tmp_path / "again.pyth").read_bytes() == (tmp_path / "model.pyth").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_release_part_of_an_export_is_enough_to_build_the_model(kind, tmp_path):
    """Without our own key only class names, dropout and normalisation are lost."""
    network = Network(KINDS[kind]).eval()
    export_release(network, tmp_path / "model.pyth")
    content = torch.load(tmp_path / "model.pyth", weights_only=True)
    del content["multitrain"]
    torch.save(content, tmp_path / "theirs.pyth")
    found = import_release(tmp_path / "theirs.pyth").eval()
    lost = {"head_dropout": 0.5, "normalisation": "constant"}
    shared = {"head_hidden": network.spec.model.head_hidden, **lost}
    assert found.spec.model == network.spec.model.model_copy(update=shared)
    clips = torch.randn(2, 3, 4, 16, 16)
    ours, theirs = network(clips), found(clips)
    assert torch.equal(ours.embedding, theirs.embedding)
    assert all(torch.equal(*pair) for pair in zip(ours.logits.values(), theirs.logits.values(), strict=True))
    assert found.projected(clips).keys() == network.projected(clips).keys()


def test_the_release_checkpoint_comes_back_as_it_was(released, tmp_path):
    assert export_release(released, tmp_path / "tiny.pyth") == []
    ours, theirs = (torch.load(path, weights_only=True) for path in (tmp_path / "tiny.pyth", REFERENCE / "tiny.pyth"))
    assert ours.keys() - {"multitrain"} == theirs.keys()
    assert ours["model_state"].keys() == theirs["model_state"].keys()
    for name, value in theirs["model_state"].items():
        assert torch.equal(ours["model_state"][name], value), name  # which compares shapes too
    written, given = yaml.safe_load(ours["cfg"]), yaml.safe_load(theirs["cfg"])
    for part, values in written.items():
        for key, value in values.items():
            if key != "TEST_CROP_SIZE":
                assert given[part][key] == value, f"{part}.{key}"
    reordered = import_release(tmp_path / "tiny.pyth")
    assert list(reordered.spec.classes) == ["kinetics", "mit", "ssv2"]


def test_a_model_of_one_dataset_has_the_names_of_one(tmp_path):
    for head, names in ((0, {"weight", "bias"}), (12, {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"})):
        export_release(Network(spec(ONE, head_hidden=head)), tmp_path / "one.pyth")
        content = torch.load(tmp_path / "one.pyth", weights_only=True)
        found = {name for name in content["model_state"] if name.startswith("head.")}
        assert found == {f"head.projection.{name}" for name in names}
        settings = yaml.safe_load(content["cfg"])["MODEL"]
        assert (settings["USE_MULTI_HEAD"], settings["NUM_CLASSES"]) == (False, 2)
        assert settings["MULTI_USE_MLP"] == bool(head)


def test_the_card_goes_with_the_weights(tmp_path):
    network = Network(spec(ONE))
    network.card = assumed_card(ONE)
    export_release(network, tmp_path / "model.pyth")
    assert import_release(tmp_path / "model.pyth").card == network.card
    network.card = assumed_card(MORE)
    export_release(network, tmp_path / "other.pyth")
    with pytest.raises(UserError, match=r"other\.pyth: its key multitrain"):
        import_release(tmp_path / "other.pyth")


def test_an_export_names_what_the_release_cannot_build(tmp_path):
    said = export_release(Network(KINDS["only the informative loss"]), tmp_path / "model.pyth")
    assert [part.split(" of ")[0].split(" each")[0] for part in said] == ["heads", "an expander", "clips normalised"]


def test_projections_of_one_name_are_refused(tmp_path):
    names = dict.fromkeys(("a", "a_b", "b_c", "c"), ("x", "y"))
    with pytest.raises(UserError, match=r"model\.pyth: dataset names of a, a_b, b_c, c give two projections the same"):
        export_release(Network(spec(names, projections=True)), tmp_path / "model.pyth")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_state": None}, "no model_state of weights"),
        ({"model_state": {"norm.weight": 3}}, "no model_state of weights"),
        ({"model_state": {}}, "is missing or unusable"),
        ({"cfg": "MVIT: ["}, "cfg is not valid YAML"),
        ({"cfg": 5}, "cfg is not valid YAML"),
        ({"cfg": "- MVIT"}, "'MVIT' is missing"),
        ({"cfg": None}, "'MVIT' is missing"),
        ({"cfg": "MVIT: {PATCH_STRIDE: [2], POOL_KV_STRIDE_ADAPTIVE: [1, 4, 4]}"}, "missing or unusable"),
        ({"cfg": "MVIT: {PATCH_STRIDE: [0, 4, 4], POOL_KV_STRIDE_ADAPTIVE: [1, 4, 4]}"}, "frames"),
        ({"cfg": "{MVIT: {PATCH_STRIDE: [2, 4, 4], POOL_KV_STRIDE_ADAPTIVE: [1, 4, 4]}, DATA: {MEAN: [0.5]}}"}, "0.45"),
        ({"cfg": "{MVIT: {PATCH_STRIDE: [2, 4, 4], POOL_KV_STRIDE_ADAPTIVE: [1, 4, 4]}, DATA: 3}"}, "unusable"),
        ({"multitrain": "{}"}, "key multitrain is of another version"),
        ({"multitrain": 3}, "key multitrain is of another version"),
        ({"multitrain": {}}, "key multitrain is of another version"),
        ({"multitrain": {"spec": "{}", "card": None}}, "key multitrain is of another version"),
        ({"multitrain": {"spec": KINDS["vanilla"].model_dump_json(), "card": "{}"}}, "is of another version"),
        (
            {"multitrain": {"spec": KINDS["vanilla"].model_dump_json(), "card": None}},
            "pos_embed_spatial is (1, 64, 16), not (16, 8)",
        ),
    ],
)
def test_a_damaged_checkpoint_is_one_line(change, message, tmp_path):
    content = torch.load(REFERENCE / "tiny.pyth", weights_only=True) | change
    torch.save(content, tmp_path / "changed.pyth")
    with pytest.raises(UserError, match=r"changed\.pyth") as error:
        import_release(tmp_path / "changed.pyth")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_head_of_an_unusable_name_is_one_line(tmp_path):
    content = torch.load(REFERENCE / "tiny.pyth", weights_only=True)
    state = {name.replace(".mit.", ".MiT."): w for name, w in content["model_state"].items()}
    torch.save(content | {"model_state": state}, tmp_path / "named.pyth")
    with pytest.raises(UserError, match=r"named\.pyth: classes.MiT"):
        import_release(tmp_path / "named.pyth")
