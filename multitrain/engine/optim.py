"""The optimiser: parameter groups, gradient clipping, and the learning-rate schedule."""

import math

import torch
from torch import Tensor

from multitrain.config.recipes import Recipe
from multitrain.losses.objective import Objective
from multitrain.model.network import Network

__all__ = ["clip_gradients", "layer_factors", "learning_rate", "lr_factor", "make_optimiser", "set_lr"]


def lr_factor(step: int, total: int, warmup: int, start: float, end: float) -> float:
    """Learning rate at a step as a part of the peak: linear from `start` to 1, then half a cosine down to `end`."""
    if step < warmup:
        return start + (1 - start) * step / warmup
    along = (step - warmup) / max(total - warmup, 1)
    return end + (1 - end) * (1 + math.cos(math.pi * along)) / 2


def learning_rate(recipe: Recipe, step: int, total: int, warmup: int) -> float:
    """A recipe's learning rate at a step of `total`, of which the first `warmup` lead to the peak."""
    return recipe.lr * lr_factor(step, total, warmup, recipe.lr_start_factor, recipe.lr_end_factor)


def make_optimiser(recipe: Recipe, network: Network, objective: Objective) -> torch.optim.Optimizer:
    """AdamW or SGD with weight decay on matrices and kernels only; log sigma has its own learning rate and no decay.

    Each group's `factor` multiplies the scheduled learning rate; with a `layer_decay` each layer has its own groups.
    """
    factors = layer_factors(recipe.layer_decay, network)
    by_factor: dict[tuple[bool, float], list[torch.nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            by_factor.setdefault((parameter.ndim > 1, factors[name]), []).append(parameter)
    if objective.extra is not None:
        for parameter in objective.extra.stateful.parameters():
            by_factor[parameter.ndim > 1, 1.0].append(parameter)
    groups: list[dict] = [
        {"params": its, "weight_decay": recipe.weight_decay if decays else 0.0, "factor": factor}
        for (decays, factor), its in by_factor.items()
    ]
    if objective.log_sigma.requires_grad:
        groups.append({"params": [objective.log_sigma], "weight_decay": 0.0, "factor": recipe.sigma_lr_factor})
    if objective.extra is not None and objective.extra.learned:
        groups.append({"params": [objective.extra.log_sigma], "weight_decay": 0.0, "factor": recipe.sigma_lr_factor})
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, fused=True)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)


def layer_factors(decay: float, network: Network) -> dict[str, float]:
    """Layer-wise decay of the learning rate: decay ** (L + 1 - l) for each parameter of layer l, by its name.

    Patch and positions are layer 0, the backbone's L blocks layers 1 to L; its last norm, the heads, the projections
    and the expander are layer L + 1, of factor 1.
    """
    layers = {name: _layer(name) for name, _ in network.named_parameters()}
    top = max((layer for layer in layers.values() if layer is not None), default=0) + 1
    return {name: 1.0 if layer is None else decay ** (top - layer) for name, layer in layers.items()}


def _layer(name: str) -> int | None:
    """A parameter's layer; None where it is above the backbone's blocks."""
    part, _, rest = name.partition(".")
    if part != "backbone" or rest.startswith("norm."):
        return None
    return int(rest.split(".")[1]) + 1 if rest.startswith("blocks.") else 0


def clip_gradients(optimiser: torch.optim.Optimizer, recipe: Recipe) -> Tensor:
    """Clip the gradients of all parameters to the recipe's L2 norm; returns their norm before, a scalar of the device.

    A `gradient_divisor` W divides them first, as in the release with W processes: each back-propagates the whole
    batch's loss through its own rows only, and the mean over the processes is taken.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    if recipe.gradient_divisor > 1:
        torch._foreach_div_([p.grad for p in parameters if p.grad is not None], recipe.gradient_divisor)
    return torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)


def set_lr(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group for the next step."""
    for group in optimiser.param_groups:
        group["lr"] = lr * group["factor"]
