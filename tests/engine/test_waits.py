"""A training step waits for its accelerator only where the history has a line of the step."""

import importlib

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.common.records.history import Step
from multitrain.config.recipes import ExtraLoss
from multitrain.data.loader import train_batches
from multitrain.engine.setup import Job
from multitrain.engine.training_state import Training
from tests.engine.fake_device import DEVICE, FakeDevice, OnDevice
from tests.engine.own_losses import CONTRAST
from tests.engine.stopping import with_run

CPU = torch.device("cpu")
RECIPES = [{}, {"micro_batch": 4}, {"optimiser": "sgd", "gradient_divisor": 2}]
EXTRA = (ExtraLoss(function=CONTRAST, weight="learned"),)


@pytest.fixture
def made(monkeypatch):
    """Make the training of a job on a device; fused optimisers accept the fake one."""
    optimizer = importlib.import_module("torch.optim.optimizer")
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: ["meta", "cpu"])

    def make(job: Job, device: torch.device = CPU, losses: tuple[ExtraLoss, ...] = ()) -> Training:
        return Training(with_run(job, init=None, extra_losses=losses), device)

    return make


def steps(training: Training, recorded: list[bool]) -> list[Step | None]:
    first, parts = training.done, training.share.parts
    last = first + len(recorded)
    source = train_batches(training.clips, training.job.recipe.batch, first, last, 0, training.share)
    return [training.step([next(source) for _ in range(parts)], each) for each in recorded]


@pytest.mark.parametrize(
    ("recipe", "losses"),
    [*((recipe, ()) for recipe in RECIPES), ({}, EXTRA), (RECIPES[-1], EXTRA)],
    ids=["adamw", "parts", "sgd", "extra", "sgd with extra"],
)
def test_a_step_without_a_line_of_the_history_waits_for_nothing(job, made, recipe, losses):
    with FakeDevice() as device:
        training = made(job("joint", **recipe), DEVICE, losses)
        device.waits.clear()
        assert steps(training, [False, False]) == [None, None] and device.waits == []
        (line,) = steps(training, [True])
        assert device.waits == ["a copy to the processor"]  # the line's numbers, all at once
    assert isinstance(next(training.network.parameters()), OnDevice)
    (expected,) = steps(made(job("joint", **recipe), CPU, losses), [True, True, True])[2:]
    assert list(line) == list(expected) and (line["step"], line["epoch"]) == (2, expected["epoch"])
    for name in set(line) - {"step", "epoch", "rate"}:
        assert line[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-5), name


def test_steps_without_a_line_have_the_bits_of_recorded_ones(job, made):
    one, other = made(job("joint")), made(job("joint"))
    assert steps(one, [True, True, True])[2] == steps(other, [False, False, True])[2]


def test_after_a_loss_that_is_not_finite_no_weight_changes_and_the_next_line_names_its_step(job, made):
    training = made(job("joint"))
    steps(training, [True])
    before = {name: weight.clone() for name, weight in training.network.state_dict().items()}
    poison = training.network.backbone.norm.weight.register_hook(lambda gradient: gradient * torch.inf)
    assert steps(training, [False]) == [None] and not training.is_finite
    poison.remove()
    assert steps(training, [False]) == [None]
    assert all(torch.equal(weight, before[name]) for name, weight in training.network.state_dict().items())
    training.network.backbone.norm.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(UserError, match=r"gradient's norm is (inf|nan) at step 1 on clips \S+"):
        steps(training, [True])
    assert training.done == 1
