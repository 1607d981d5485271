"""The paper's model takes a real training step on a processor: full width, four datasets, every loss."""

import pytest
import torch

from multitrain.config import Model
from multitrain.configfile import load_experiments, load_scale
from tests.bench.learner import CLASSES, Learner
from tests.bench.memory import STATUS, high_water

GIBIBYTES = 12
FRAMES = 8  # of 224 pixels; a step of two clips took 8 s of one thread, and the process 3.6 GB


@pytest.fixture
def learner():
    """MultiTrain at scale paper, but for the number of frames; two clips, one of K400 and one of MiT."""
    torch.manual_seed(0)
    scale = load_scale("paper")
    assert scale.model == Model()  # the paper's MViTv2-B 32x3
    scale = scale.model_copy(update={"model": Model(frames=FRAMES)})
    return Learner(scale, load_experiments().runs["multitrain"], batch=2)


def test_one_training_step_changes_every_parameter(learner):
    before = {name: value.detach().clone() for name, value in learner.named_parameters().items()}
    assert sum(map(torch.numel, before.values())) > 51e6
    assert {name: len(y) for name, y in learner.network.spec.classes.items()}.items() <= CLASSES.items()
    terms = learner.step()
    assert all(map(torch.isfinite, (terms.total, terms.variance, terms.covariance, *terms.classification.values())))
    present = {"k400", "mit"}
    assert {name for name, loss in terms.classification.items() if loss > 0} == present
    for name, value in learner.named_parameters().items():
        into = name.split(".")[2] if name.startswith("projections.") else "k400"
        assert bool(value.grad.abs().max() > 0) is (into in present), name  # others change by the weight decay alone
        assert torch.isfinite(value).all() and not torch.equal(value, before[name]), name
    if STATUS.exists():
        assert high_water() < GIBIBYTES * 2**30 / 1e6
