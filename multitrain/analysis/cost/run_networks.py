"""Operations and parameters of each run's own network, built as its run.json describes it: networks.csv.

What the scores Y_k of a dataset depend on is found by autograd, not by the parts' names: a head, projections or
expander without a gradient from Y_k is not needed for it. Operations are multiply-accumulates of convolutions, linear
layers and attention products, as the paper counts them, without LayerNorms and what works on single numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from multitrain.analysis.cost.flops import passes
from multitrain.analysis.render.columns import NETWORKS
from multitrain.analysis.render.table_files import Rows, write_rows
from multitrain.analysis.study.run_names import seeds_of
from multitrain.common.errors import UserError
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments, Run
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale
from multitrain.losses.objective import Objective
from multitrain.model.backbones.build import without_memory
from multitrain.model.network import Network, Output, Spec

__all__ = ["RECORDED", "network_rows", "write_networks"]

FILE = "networks.csv"
RECORDED = "networks.json"  # of a run of a packed study whose backbone the packed file does not have


@dataclass(frozen=True)
class Recorded:
    """The fields of run.json that determine a network and its training step."""

    settings: Run
    recipe: Recipe
    pixels: int
    classes: tuple[tuple[str, int], ...]  # of every dataset
    parts: int  # micro-batches of a step

    def spec(self, scale: Scale) -> Spec:
        """The network's; classes are counted, not named."""
        return Spec(
            model=scale.model_of(self.recipe, self.settings.backbone),
            size=self.pixels,
            classes={name: tuple(map(str, range(count))) for name, count in self.classes},
            projections=self.settings.projection != "none",
            expander=(self.recipe.expander_hidden, self.recipe.embedding) if self.settings.informative else None,
        )


@dataclass(frozen=True)
class Cost:
    """Operations of one clip at test time, and parameters of the network."""

    operations: Mapping[str, float]  # by dataset: G that Y_k depends on
    heads: Mapping[str, float]  # by dataset: of them those of its own head
    backbone: float  # G
    whole: float  # G of the whole forward pass: all heads, and the expander where there is one
    needed: int  # parameters that the Y_k of some dataset depend on
    parameters: int  # all that are trained


@cache
def network_cost(spec_json: str) -> Cost:
    """Cost of a network, from the JSON of its `Spec`; counted on tensors without data, whatever the model's size."""
    spec = Spec.model_validate_json(spec_json)

    def count() -> tuple[Network, FlopCounterMode, Output]:
        network = Network(spec).eval()
        clip = torch.empty(1, 3, spec.model.frames, spec.size, spec.size)
        with FlopCounterMode(display=False) as counter:
            return network, counter, network(clip)

    network, counter, output = without_memory(spec.model, count)
    # Whole numbers, two a multiply-accumulate.
    counts = {name: sum(its.values()) for name, its in counter.get_flop_counts().items()}
    weights = dict(network.named_parameters())
    needed, operations = set(), {}
    for name, scores in output.logits.items():
        gradients = torch.autograd.grad(scores.sum(), list(weights.values()), retain_graph=True, allow_unused=True)
        used = {weight for weight, gradient in zip(weights, gradients, strict=True) if gradient is not None}
        idle = [part for part in _parts(network) if not any(weight.startswith(f"{part}.") for weight in used)]
        operations[name] = (counts["Global"] - sum(counts.get(f"Network.{part}", 0) for part in idle)) / 2e9
        needed |= used
    return Cost(
        operations,
        {name: counts[f"Network.heads.{name}"] / 2e9 for name in output.logits},
        counts["Network.backbone"] / 2e9,
        counts["Global"] / 2e9,
        sum(weights[name].numel() for name in needed),
        sum(weight.numel() for weight in weights.values()),
    )


def _parts(network: Network) -> list[str]:
    """Parts that a forward pass can leave out if no score depends on them."""
    return [*(f"heads.{name}" for name in network.heads), "projections", "expander"]


def step_operations(scale: Scale, recorded: Recorded) -> float:
    """G that a training step takes for each clip of its batch: passes of the backbone, heads, expander and losses.

    The backbone's backward pass counts as two forward ones. Heads, expander and losses are run on made-up features and
    counted, forward and backward. The optimiser and what works on single numbers is not counted.
    """
    network = _shallow(scale, recorded)
    clips = recorded.recipe.batch * recorded.recipe.repeats
    width = network.backbone.width
    features = torch.zeros(clips, width).normal_(generator=torch.Generator().manual_seed(0)).requires_grad_()
    datasets = [name for name, _ in recorded.classes]
    dataset = torch.arange(clips) % len(datasets)
    settings, recipe = recorded.settings, recorded.recipe
    objective = Objective(settings.datasets, settings.informative, settings.projection, settings.weighting)
    with FlopCounterMode(display=False) as counter:
        logits = {name: head(features) for name, head in network.heads.items()}
        weights = network.projections.weights()
        terms = objective(logits, network.expander(features), weights, torch.zeros_like(dataset), dataset)
        terms.total.backward()
    backbone = network_cost(recorded.spec(scale).model_dump_json()).backbone
    return backbone * passes(scale, settings, recipe, recorded.parts) + counter.get_total_flops() / 2e9 / clips


def _shallow(scale: Scale, recorded: Recorded) -> Network:
    """A network with the heads, projections and expander of the run's on a backbone of one block a stage."""
    spec = recorded.spec(scale)
    shallow = spec.model.model_copy(update={"depths": (1,) * len(spec.model.depths)})  # of mvit; others are whole
    with torch.random.fork_rng(devices=[]):
        return Network(spec.model_copy(update={"model": shallow})).train()


def read_recorded(folder: Path) -> Recorded:
    """What a run's run.json says of its network and its step.

    Raises:
        UserError: it lacks something.
    """
    said = read_record(folder)
    try:
        return Recorded(
            settings=Run.model_validate(said["settings"]),
            recipe=Recipe.model_validate(said["recipe"]),
            pixels=int(said["pixels"]),
            classes=tuple((name, int(its["classes"])) for name, its in said["datasets"].items()),
            parts=int(said["parts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"{folder / 'run.json'}: no record of a network ({text}): train the run again") from None


def network_rows(scale: Scale, folder: Path, run: str) -> Rows:
    """A row a dataset: what the network of a run's folder takes; where a packed study recorded it, as recorded."""
    if (kept := folder / RECORDED).is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    recorded = read_recorded(folder)
    cost, step = network_cost(recorded.spec(scale).model_dump_json()), step_operations(scale, recorded)
    return [
        {
            "run": run,
            "dataset": dataset,
            "gflops": operations,
            "gflops_head": cost.heads[dataset],
            "gflops_whole": cost.whole,
            "gflops_step": step,
            "parameters": cost.parameters,
            "parameters_needed": cost.needed,
            "scale": scale.name,
        }
        for dataset, operations in cost.operations.items()
    ]


def write_networks(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/networks.csv: a row a run of the tables and dataset, of the first seed's record."""
    home = results / "runs" / scale.name
    rows: Rows = []
    for run in experiments.shown_runs():
        rows += network_rows(scale, home / run / f"seed{seeds_of(home, run, seeds)[0]}", run)
    write_rows(results / FILE, rows, NETWORKS)
