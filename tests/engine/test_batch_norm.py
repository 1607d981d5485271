"""BatchNorm in two real processes: one update of the running statistics a step, the same bits in both."""

import pytest
import torch
from torch import Tensor

from multitrain.config.model_settings import Model
from multitrain.engine.processes.distributed import SINGLE_PROCESS, ProcessGroup
from multitrain.engine.step import Backward, StepRandomness
from multitrain.losses.objective import Objective
from multitrain.model.network import Network, Spec, normalise
from tests.engine.batch_norm_net import NAME
from tests.engine.process_group import CLASSES, SIZE, Case, in_processes, single

pytestmark = pytest.mark.xdist_group("processes")


def made() -> Network:
    torch.manual_seed(3)
    model = Model(backbone=NAME, frames=4, head_hidden=0, head_dropout=0.0)
    return Network(Spec(model=model, size=SIZE, classes=CLASSES, projections=True, expander=(12, 10))).train()


def stepped(group: ProcessGroup, parts: int) -> dict[str, Tensor]:
    """Buffers and gradients after a step of one process or more, each with so many micro-batches."""
    network, case = made(), single(Case("batch norm", parts=parts))
    Backward(network, Objective(tuple(CLASSES)), case.recipe(), group)(case.shares(group), StepRandomness(11))
    return dict(network.named_buffers()) | {name: weight.grad for name, weight in network.named_parameters()}


def test_two_processes_have_the_statistics_and_the_gradient_of_two_parts(tmp_path):
    one, other = in_processes(2, tmp_path / "two", stepped, 1)
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    for name, value in stepped(SINGLE_PROCESS, 2).items():
        torch.testing.assert_close(
            one[name], value, rtol=1e-4, atol=1e-6, msg=lambda said, name=name: f"{name}: {said}"
        )
    assert one["backbone.norm.num_batches_tracked"] == 1
    network, means = made(), []
    for part in single(Case("batch norm", parts=2)).shares(SINGLE_PROCESS):
        means.append(network.backbone.conv(normalise(part.video, "constant")).mean((0, 2, 3, 4)))
    torch.testing.assert_close(one["backbone.norm.running_mean"], 0.1 * (means[0] + means[1]).detach() / 2)
