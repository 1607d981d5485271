"""The release's checkpoints: the same numbers as the release computes, and every weight accounted for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from multitrain.errors import UserError
from multitrain.losses.objective import Objective
from multitrain.model.release import import_release, release_name

REFERENCE = Path(__file__).parents[1] / "reference"


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
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


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
