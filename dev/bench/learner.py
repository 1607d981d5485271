"""Training steps of a run on random clips, for benchmarks and tests: no data loader."""

import torch

from multitrain.config.experiments import Run
from multitrain.config.scale import Scale
from multitrain.data.clips import Batch
from multitrain.engine.optim import make_optimiser
from multitrain.engine.step import Backward, StepRandomness
from multitrain.losses.objective import Objective, Terms
from multitrain.model.network import Network, Spec
from multitrain.synth.world import spec

CLASSES = {"k400": 400, "k700": 700, "mit": 305, "ssv2": 174, "actnet": 200}  # of the real datasets


def class_names(scale: Scale, dataset: str) -> tuple[str, ...]:
    """The classes of a synthetic dataset, or as many numbered ones as the real dataset has."""
    return spec(dataset, scale.world).classes if scale.synthetic(dataset) else tuple(map(str, range(CLASSES[dataset])))


class Learner:
    """A run's network, objective and optimiser, and a batch that takes the datasets in turn; from torch's own seed.

    `scale.sizes[run.size]` and `scale.model.frames` are the clips'.
    """

    def __init__(self, scale: Scale, run: Run, batch: int):
        recipe = run.effective_recipe(scale.recipes).model_copy(
            update={"batch": batch, "repeats": 1, "micro_batch": None}
        )
        size, classes = scale.sizes[run.size], {name: class_names(scale, name) for name in run.datasets}
        expander = (recipe.expander_hidden, recipe.embedding) if run.informative else None
        described = Spec(
            model=scale.model_of(recipe),
            size=size,
            classes=classes,
            projections=run.projection != "none",
            expander=expander,
        )
        self.network = Network(described, recipe.projection_std).train()
        self.network.backbone.set_drop_path(recipe.drop_path)
        weights = recipe.variance_weight, recipe.covariance_weight, recipe.label_smoothing
        self.objective = Objective(run.datasets, run.informative, run.projection, run.weighting, *weights)
        self.optimiser = make_optimiser(recipe, self.network, self.objective)
        self.backward = Backward(self.network, self.objective, recipe)
        self.clip_norm = recipe.clip_norm
        dataset = torch.arange(batch) % len(classes)
        label = torch.tensor([n % len(classes[run.datasets[k]]) for n, k in enumerate(dataset.tolist())])
        video = torch.randint(0, 256, (batch, 3, scale.model.frames, size, size), dtype=torch.uint8)
        self.batch = Batch(video, label, dataset, tuple(map(str, range(batch))), torch.arange(batch))

    def named_parameters(self) -> dict[str, torch.nn.Parameter]:
        """All that is trained, by name."""
        return dict(self.network.named_parameters()) | dict(self.objective.named_parameters())

    def step(self) -> Terms:
        """One step; what the batch cost before it."""
        self.optimiser.zero_grad(set_to_none=True)
        terms = self.backward([self.batch], StepRandomness(seed=0))
        parameters = [p for p in self.named_parameters().values() if p.requires_grad]
        torch.nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        self.optimiser.step()
        return terms
