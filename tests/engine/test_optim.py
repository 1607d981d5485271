"""The learning-rate schedule and the parameter groups."""

from itertools import pairwise

import pytest
import torch

from multitrain.config.config_files import load_scale
from multitrain.config.recipes import Recipe
from multitrain.engine.optim import learning_rate, lr_factor, make_optimiser, set_lr
from multitrain.losses.extra_terms import ExtraTerms
from multitrain.losses.objective import Objective
from multitrain.model.network import Network, Spec
from tests.engine.own_losses import Centres, contrast


def test_warm_up_is_linear_and_the_cosine_ends_where_it_should():
    factors = [lr_factor(step, 100, 20, 0.01, 0.02) for step in range(101)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[10] == pytest.approx((1 + 0.01) / 2)
    assert factors[20] == 1 == max(factors)
    assert factors[60] == pytest.approx((1 + 0.02) / 2)
    assert factors[100] == pytest.approx(0.02)
    assert all(b > a for a, b in pairwise(factors[:21]))
    assert all(b < a for a, b in pairwise(factors[20:]))


def test_no_warm_up_starts_at_the_peak():
    assert lr_factor(0, 10, 0, 0.01, 0.01) == 1


def test_a_recipe_says_the_peak_and_both_ends():
    recipe = Recipe(epochs=1, warmup_epochs=0.1, batch=2, lr=0.5, lr_start_factor=0.1, lr_end_factor=0.02)
    assert [learning_rate(recipe, step, 100, 10) for step in (0, 10, 100)] == pytest.approx([0.05, 0.5, 0.01])


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_only_matrices_decay_and_sigma_has_its_own_rate(kind):
    scale = load_scale("ci")
    recipe = scale.recipes["joint"].model_copy(
        update={"optimiser": kind, "sigma_lr_factor": 10.0, "weight_decay": 0.05}
    )
    network = Network(Spec(model=scale.model, size=32, classes={"a": ("x", "y")}, projections=False))
    objective = Objective(("a",), weighting="uncertainty")
    optimiser = make_optimiser(recipe, network, objective)
    set_lr(optimiser, 0.5)
    groups = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    assert len(groups) == len(list(network.parameters())) + 1
    for parameter in network.parameters():
        group = groups[id(parameter)]
        assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0) and group["lr"] == 0.5
    assert groups[id(objective.log_sigma)]["weight_decay"] == 0 and groups[id(objective.log_sigma)]["lr"] == 5.0


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_an_extra_loss_has_its_weights_and_its_sigma_optimised(kind):
    scale = load_scale("ci")
    recipe = scale.recipes["joint"].model_copy(
        update={"optimiser": kind, "sigma_lr_factor": 10.0, "weight_decay": 0.05}
    )
    network = Network(Spec(model=scale.model, size=32, classes={"a": ("x", "y")}))
    centres = Centres({"a": 2}, network.backbone.width, 4)
    extra = ExtraTerms({"contrast": contrast, "Centres": centres}, {"contrast": None, "Centres": 0.3})
    optimiser = make_optimiser(recipe, network, Objective(("a",), extra=extra))
    set_lr(optimiser, 0.5)
    groups = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    assert len(groups) == len(list(network.parameters())) + 3
    assert (groups[id(centres.centres)]["weight_decay"], groups[id(centres.centres)]["lr"]) == (0.05, 0.5)
    assert (groups[id(extra.log_sigma)]["weight_decay"], groups[id(extra.log_sigma)]["lr"]) == (0, 5.0)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_layers_have_the_rates_of_the_formula_and_the_weight_decay_of_all(decay):
    scale = load_scale("ci")  # two blocks
    recipe = scale.recipes["joint"].model_copy(update={"layer_decay": decay, "weight_decay": 0.05})
    network = Network(Spec(model=scale.model, size=32, classes={"a": ("x",), "b": ("y",)}, projections=True))
    optimiser = make_optimiser(recipe, network, Objective(("a", "b")))
    set_lr(optimiser, 0.8)
    groups = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    layers = {"backbone.patch": 0, "backbone.position": 0, "backbone.blocks.0": 1, "backbone.blocks.1": 2}
    for name, parameter in network.named_parameters():
        layer = next((its for start, its in layers.items() if name.startswith(start)), 3)
        group = groups[id(parameter)]
        assert group["lr"] == pytest.approx(0.8 * decay ** (3 - layer)), name
        assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0)
    assert len(optimiser.param_groups) == (3 if decay == 1 else 9)
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(network.parameters())) + 1


def test_fixed_weighting_leaves_sigma_out():
    scale = load_scale("ci")
    network = Network(Spec(model=scale.model, size=32, classes={"a": ("x", "y")}))
    optimiser = make_optimiser(scale.recipes["joint"], network, Objective(("a",), weighting="fixed"))
    assert sum(len(g["params"]) for g in optimiser.param_groups) == len(list(network.parameters()))


def test_a_learned_sigma_moves_towards_its_optimum():
    objective = Objective(("a", "b"), informative=False, projection="none", weighting="uncertainty")
    optimiser = torch.optim.SGD([objective.log_sigma], lr=0.5)
    logits = {"a": torch.zeros(4, 2), "b": torch.zeros(4, 8)}  # cross-entropies log 2 / 2 and log 8 / 2
    label, dataset = torch.zeros(4, dtype=torch.long), torch.tensor([0, 0, 1, 1])
    for _ in range(200):
        optimiser.zero_grad()
        objective(logits, torch.randn(4, 3), {}, label, dataset).total.backward()
        optimiser.step()
    assert objective.sigma()["a"] ** 2 == pytest.approx(0.3466, abs=1e-3)
    assert objective.sigma()["b"] ** 2 == pytest.approx(1.0397, abs=1e-3)
