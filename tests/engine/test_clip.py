"""Gradient clipping by a recipe, and as in the release's processes (`gradient_divisor`)."""

import pytest
import torch
import torch.nn.functional as F

from multitrain.config.config_files import load_scale
from multitrain.engine.optim import clip_gradients, make_optimiser
from multitrain.losses.informative import covariance, variance
from multitrain.losses.objective import Objective
from multitrain.model.heads import add_projected
from multitrain.model.network import Network, Spec, normalise
from tests.engine.process_group import CLASSES, Case, together

PROCESSES = 4


def in_one_of_the_release(case: Case, rank: int) -> dict[str, torch.Tensor]:
    """The gradient in one of the release's processes: the whole batch's loss, back-propagated through its own rows."""
    network, objective = case.modules()
    batch = case.batch()
    own = (torch.arange(len(batch.label)) % PROCESSES == rank)[:, None]
    output = network(normalise(batch.video, "constant").double())

    def gather(rows):
        return torch.where(own, rows, rows.detach())

    projected = {pair: gather(rows) for pair, rows in network.projections(output.logits).items()}
    logits = add_projected({name: gather(rows) for name, rows in output.logits.items()}, projected)
    embedding = gather(output.embedding)
    total = objective.variance_weight * variance(embedding) + objective.covariance_weight * covariance(embedding)
    for k, name in enumerate(CLASSES):
        its, log_sigma = batch.dataset == k, objective.log_sigma[k]
        loss = F.cross_entropy(logits[name][its], batch.label[its], reduction="sum") / len(batch.label)
        total = total + loss * torch.exp(-2 * log_sigma) / 2 + log_sigma
    total.backward()
    return {name: p.grad for name, p in network.named_parameters()}


def test_the_divisor_gives_the_gradient_of_the_releases_processes():
    case = Case("multitrain")
    each = [in_one_of_the_release(case, rank) for rank in range(PROCESSES)]
    network, objective = case.modules()
    recipe = case.recipe().model_copy(update={"gradient_divisor": PROCESSES, "clip_norm": 1e9})
    ours = together(case).gradients
    for name, parameter in [*network.named_parameters(), ("log_sigma", objective.log_sigma)]:
        parameter.grad = ours[name].clone()
    norm = clip_gradients(make_optimiser(recipe, network, objective), recipe)
    for name, parameter in network.named_parameters():
        mean = sum(gradients[name] for gradients in each) / PROCESSES  # what its processes exchange
        assert torch.allclose(parameter.grad, mean, rtol=1e-9, atol=1e-12), name
    whole = torch.cat([gradient.flatten() for gradient in ours.values()]).norm()
    assert norm == pytest.approx(whole.item() / PROCESSES)  # log sigma's too, which the release has not


def moved(divisor: int, clip_norm: float, kind: str = "adamw") -> torch.Tensor:
    """The change of all weights in steps with gradients of norm 0.5, 3 and 20."""
    torch.manual_seed(1)
    scale = load_scale("ci")
    how = {"gradient_divisor": divisor, "clip_norm": clip_norm, "optimiser": kind, "weight_decay": 0}
    recipe = scale.recipes["joint"].model_copy(update=how)
    network = Network(Spec(model=scale.model, size=32, classes={"a": ("x", "y")})).double()
    optimiser = make_optimiser(recipe, network, Objective(("a",), weighting="fixed"))
    before = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    norms = []
    for norm in (0.5, 3.0, 20.0):
        drawn = [torch.randn_like(p) for p in network.parameters()]
        whole = torch.cat([gradient.flatten() for gradient in drawn]).norm()
        for parameter, gradient in zip(network.parameters(), drawn, strict=True):
            parameter.grad = gradient * norm / whole
        norms.append(clip_gradients(optimiser, recipe))
        optimiser.step()
    assert norms == pytest.approx([0.5 / divisor, 3 / divisor, 20 / divisor])
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()]) - before


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


def test_a_divisor_changes_adamw_only_through_the_clip():
    never, nothing = 1e9, 0.01  # what an epsilon of 1e-8 makes where a gradient is near it
    plain = moved(1, never)
    assert apart(moved(16, never), plain) < nothing
    assert apart(moved(4, 1.0), moved(1, 4.0)) < nothing
    assert apart(moved(32, 1.0), plain) < nothing  # the largest norm is 20
    assert apart(moved(1, 1.0), plain) > 0.1
    assert apart(moved(16, never, "sgd"), moved(1, never, "sgd")) > 0.9  # SGD goes a sixteenth as far
