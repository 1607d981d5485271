"""From a run's name to its parts: where its files lie, its clips, its network and its objective."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

import multitrain
from multitrain.config import Recipe, Scale
from multitrain.data.clips import Source
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpoint import read_weights
from multitrain.errors import UserError
from multitrain.experiments import Experiments, Run
from multitrain.losses.objective import Objective
from multitrain.model.network import Network, Spec
from multitrain.seeding import derive

NUMERICAL = ("seeding.py", "data/*.py", "model/*.py", "losses/*.py", "engine/*.py")  # what can change a run's numbers


@dataclass(frozen=True)
class Job:
    """One run with one seed at one scale."""

    scale: Scale
    experiments: Experiments
    name: str
    seed: int
    data: Path
    results: Path

    @property
    def run(self) -> Run:
        return self.experiments.run(self.name)

    @property
    def recipe(self) -> Recipe:
        return self.scale.recipes[self.run.recipe]

    @property
    def size(self) -> int:
        return self.scale.sizes[self.run.size]

    @property
    def folder(self) -> Path:
        return self.folder_of(self.name)

    def folder_of(self, name: str) -> Path:
        """Where the run of that name, scale and seed keeps its files."""
        return self.results / "runs" / self.scale.name / name / f"seed{self.seed}"

    def source(self, dataset: str, split: str) -> Source:
        """The prepared clips of one split.

        Raises:
            UserError: no manifest, no clip in that split, or a class without a training clip.
        """
        path = self.data / self.scale.name / dataset / "manifest.parquet"
        manifest = read_manifest(path)
        chosen = manifest.split(split)
        if not len(chosen):
            raise UserError(f"{path}: no clip in split {split}: see missing.csv beside it")
        if split == "train" and (absent := chosen.empty_classes()):
            raise UserError(
                f"{path}: {len(absent)} classes have no training clip, among them {absent[0]!r}: "
                "bring the missing videos (missing.csv beside it) or take the classes out of the annotation"
            )
        return Source(self.scale.dataset(dataset), chosen)


def schedule(job: Job) -> tuple[int, int]:
    """(steps, warm-up steps) of a run: its recipe's epochs over its clips, or as many steps as `steps_of` takes."""

    def count(run: Run, epochs: float) -> int:
        clips = sum(len(job.source(dataset, "train")) for dataset in run.datasets)
        return round(epochs * (clips // job.scale.recipes[run.recipe].batch))

    paced = job.experiments.run(job.run.steps_of) if job.run.steps_of else job.run
    steps = max(count(paced, job.scale.recipes[paced.recipe].epochs), 1)
    return steps, round(steps * job.recipe.warmup_epochs / job.recipe.epochs)


def build_network(job: Job, classes: dict[str, tuple[str, ...]]) -> Network:
    """The run's network with its initial weights: random from the seed, the backbone from `init` where one is named."""
    recipe = job.recipe
    spec = Spec(
        model=job.scale.model,
        size=job.size,
        classes=classes,
        projections=job.run.projection != "none",
        expander=(recipe.expander_hidden, recipe.embedding) if job.run.informative else None,
    )
    torch.manual_seed(derive(job.seed, "weights", job.name))
    network = Network(spec, recipe.projection_std)
    network.backbone.set_drop_path(recipe.drop_path)
    if job.run.init:
        path = job.folder_of(job.run.init) / "model.pt"
        _, weights = read_weights(path)
        prefix = "backbone."
        backbone = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
        network.load_backbone(backbone, str(path))
    return network


def build_objective(job: Job) -> Objective:
    """The run's objective, as its switches and its recipe say."""
    return Objective(
        job.run.datasets,
        job.run.informative,
        job.run.projection,
        job.run.weighting,
        job.recipe.variance_weight,
        job.recipe.covariance_weight,
        job.recipe.label_smoothing,
    )


def code_hash() -> str:
    """Twelve digits that change when a module does that can change a run's numbers."""
    root = Path(multitrain.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in NUMERICAL for path in root.glob(pattern)):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
