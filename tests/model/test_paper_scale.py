"""A real training step on a processor changes every parameter: at scale ci, and of the paper's model at full width."""

import pytest
import torch

from dev.bench.learner import CLASSES, Learner
from dev.bench.memory import STATUS, high_water
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Model, Scale

GIBIBYTES = 12
# A shift of all keys does not change attention, nor one of all embeddings the informative loss: the gradient of these
# is rounding alone, and may be 0.
WITHOUT_EFFECT = ("norm_k.bias", "expander.fc2.bias")
FRAMES = 8  # of 224 pixels; a step of two clips took 8 s of one thread, and the process 3.6 GB


def stepped(scale: Scale) -> Learner:
    """A learner after a step of MultiTrain on two clips, one of K400 and one of MiT."""
    torch.manual_seed(0)
    learner = Learner(scale, load_experiments().runs["multitrain"], batch=2)
    before = {name: value.detach().clone() for name, value in learner.named_parameters().items()}
    terms = learner.step()
    assert all(map(torch.isfinite, (terms.total, terms.variance, terms.covariance, *terms.classification.values())))
    present = {"k400", "mit"}
    assert {name for name, loss in terms.classification.items() if loss > 0} == present
    steepest = {name: value.grad.abs().max().item() for name, value in learner.named_parameters().items()}
    for name, value in learner.named_parameters().items():
        assert torch.isfinite(value).all(), name
        if name.endswith(WITHOUT_EFFECT):
            assert steepest[name] < 1e-7 * max(steepest.values()), name
            continue
        into = name.split(".")[2] if name.startswith("projections.") else "k400"
        assert (steepest[name] > 0) is (into in present), name  # others change by the weight decay alone
        assert not torch.equal(value, before[name]), name
    return learner


def test_one_training_step_changes_every_parameter():
    stepped(load_scale("ci"))


@pytest.mark.slow
def test_one_training_step_of_the_papers_model_changes_every_parameter():
    """The paper's MViTv2-B 32x3, but for the number of frames."""
    scale = load_scale("paper")
    assert scale.model == Model()
    learner = stepped(scale.model_copy(update={"model": Model(frames=FRAMES)}))
    assert sum(value.numel() for value in learner.named_parameters().values()) > 51e6
    assert {name: len(y) for name, y in learner.network.spec.classes.items()}.items() <= CLASSES.items()
    if STATUS.exists():
        assert high_water() < GIBIBYTES * 2**30 / 1e6
