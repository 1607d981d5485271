"""Setup of a run: its files, clips, network, initial weights and objective."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from multitrain.common.codehash import code_hash
from multitrain.common.errors import UserError
from multitrain.common.seeding import derive
from multitrain.config.experiments import Experiments, Run
from multitrain.config.model_settings import MVIT, Model
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale
from multitrain.data.clips import COLUMNS, Source
from multitrain.data.leakage import datasets_tested_by, unguarded, without_leaks
from multitrain.data.manifest import Manifest, read_manifest
from multitrain.engine.checkpointing.checkpoint import read_weights
from multitrain.engine.user_losses import load_terms
from multitrain.losses.objective import Objective
from multitrain.model.backbones.build import check_backbone
from multitrain.model.backbones.contract import set_drop_path
from multitrain.model.backbones.declarations import file_hashes
from multitrain.model.backbones.initial import read_state_dict
from multitrain.model.files.release import import_release
from multitrain.model.network import Network, Spec

__all__ = ["Job", "build_network", "build_objective", "init_record", "make_job", "schedule"]

# settings that shapes of weights do not show
SAME_BACKBONE = ("backbone", "backbone_options", "normalisation")
SAME_FUNCTION = ("patch_stride", "kv_stride", "normalisation")


@dataclass(frozen=True)
class Job:
    """One run with one seed at one scale."""

    scale: Scale
    experiments: Experiments
    name: str
    seed: int
    data: Path
    results: Path
    exclude_leaks: bool = True
    pretrained: Mapping[str, Path] = field(default_factory=dict)  # files used as init in place of the models of runs

    @property
    def run(self) -> Run:
        return self.experiments.run(self.name)

    @property
    def recipe(self) -> Recipe:
        return self.run.effective_recipe(self.scale.recipes)

    @property
    def size(self) -> int:
        return self.scale.sizes[self.run.size]

    @property
    def folder(self) -> Path:
        return self.folder_of(self.name)

    def folder_of(self, name: str) -> Path:
        """The folder of the run of that name, at this scale and seed."""
        return self.results / "runs" / self.scale.name / name / f"seed{self.seed}"

    @property
    def world(self) -> int:
        """The number of the synthetic world of this seed's runs."""
        return self.scale.world_of(self.seed)

    @property
    def init(self) -> Path | None:
        """The file with the backbone's initial weights."""
        name = self.run.init
        return self.pretrained.get(name, self.folder_of(name) / "model.pt") if name else None

    @property
    def model(self) -> Model:
        """The model of this run."""
        return self.scale.model_of(self.recipe, self.run.backbone)

    @property
    def backbone_weights(self) -> Path | None:
        """The file of the backbone's initial weights; that of `init` goes before."""
        file = self.scale.backbone_of(self.run.backbone).backbone_weights
        return Path(file) if file and not self.run.init else None

    @property
    def code(self) -> str:
        """Hash of the numerical code; with those of the files of the user's own backbone and losses."""
        own = (self.model.backbone, *(each.function for each in self.run.extra_losses))
        return "-".join([code_hash(), *file_hashes(own)])

    @property
    def divergence_advice(self) -> str:
        """The cure of a loss or gradient that is not finite, for an error's message."""
        return "lower the recipe's lr"

    def source(self, dataset: str, split: str) -> Source:
        """The prepared clips of one split.

        Raises:
            UserError: no such dataset, no manifest, no clip in that split, or a class without a training clip.
        """
        settings, path = self.scale.dataset(dataset), self._manifest(dataset)
        clips = chosen = read_manifest(path, (*COLUMNS, "video_id")).split(split)
        if not len(chosen):
            raise UserError(f"{path}: no clip in split {split}: see missing.csv beside it")
        if split == "train" and self.exclude_leaks:
            chosen = self._without_leaks(dataset, chosen)
        if split == "train" and (absent := chosen.empty_classes()):
            raise UserError(
                f"{path}: {len(absent)} classes have no training clip, among them {absent[0]!r}: "
                "bring the missing videos (missing.csv beside it) or take the classes out of the annotation"
            )
        return Source(settings, chosen, len(clips) - len(chosen))

    def require_clean_start(self) -> None:
        """Check that the run that gave the initial weights was not trained on videos that this run is tested on.

        Raises:
            UserError: it was. No table shows this run, and so its tested videos were not left out.
        """
        if not self.exclude_leaks or self.run.init in self.pretrained:
            return
        for trainer, dataset, tested in unguarded(self.scale, self.experiments, self.name):
            whole = read_manifest(self._manifest(dataset), ["clip_id", "video_id"]).split("train")
            clips = replace(self, name=trainer)._without_leaks(dataset, whole)
            kept = without_leaks(self.scale, dataset, clips, self._tested(tested))
            if len(kept) < len(clips):
                raise UserError(
                    f"run {self.name} starts from {trainer}, which is trained on {len(clips) - len(kept)} clips of "
                    f"{dataset} whose videos {self.name} is tested on ({', '.join(tested)}): list {self.name} in a "
                    f"table of the experiments and train {trainer} again, or keep them (--keep-leaks)"
                )

    def _tested(self, datasets: tuple[str, ...]) -> dict[str, Manifest]:
        return {name: read_manifest(self._manifest(name), ["video_id"]) for name in datasets}

    def _manifest(self, dataset: str) -> Path:
        return self.scale.clips_folder(dataset, self.data, self.world) / "manifest.parquet"

    def _without_leaks(self, dataset: str, clips: Manifest) -> Manifest:
        """Training clips without leaks: videos that this run, or a run that starts from its weights, is tested on."""
        datasets = datasets_tested_by(self.scale, self.experiments, self.name, dataset)
        kept = without_leaks(self.scale, dataset, clips, self._tested(datasets))
        if not len(kept):
            raise UserError(
                f"{self._manifest(dataset)}: run {self.name} is tested on every video of its training split "
                f"({', '.join(datasets)}): see leakage.csv, or set exclude_leaks to false"
            )
        return kept


def make_job(
    scale: Scale,
    experiments: Experiments,
    name: str,
    seed: int,
    data: Path,
    results: Path,
    exclude_leaks: bool = True,
    pretrained: Mapping[str, Path] | None = None,
) -> Job:
    """A checked job.

    Raises:
        UserError: no such run, or a pretrained file for a run that it does not start from.
    """
    job = Job(scale, experiments, name, seed, data, results, exclude_leaks, pretrained or {})
    init = job.run.init
    if unused := [run for run in job.pretrained if run != init]:
        starts = f"from {init}" if init else "from random weights"
        raise UserError(f"--pretrained {unused[0]}: run {name} starts {starts}: leave it out or name that run")
    return job


def schedule(job: Job) -> tuple[int, int]:
    """(steps, warm-up steps) of a run: its recipe's epochs over its clips, or as many steps as `steps_of` takes."""
    paced = replace(job, name=job.run.steps_of or job.name)
    clips = sum(len(paced.source(dataset, "train")) for dataset in paced.run.datasets)
    steps = max(round(paced.recipe.epochs * (clips // paced.recipe.batch)), 1)
    return steps, round(steps * job.recipe.warmup_epochs / job.recipe.epochs)


def build_network(job: Job, classes: dict[str, tuple[str, ...]]) -> Network:
    """The run's network with its initial weights: random from the seed, the backbone from `init` where one is named."""
    recipe = job.recipe
    spec = Spec(
        model=job.model,
        size=job.size,
        classes=classes,
        projections=job.run.projection != "none",
        expander=(recipe.expander_hidden, recipe.embedding) if job.run.informative else None,
    )
    torch.manual_seed(derive(job.seed, "weights", job.name))
    network = Network(spec, recipe.projection_std)
    if ":" in spec.model.backbone:
        check_backbone(network.backbone, spec.model, spec.size)
    set_drop_path(network.backbone, spec.model.backbone, recipe.drop_path)
    if job.init is not None:
        load_initial(network, job.init)
    elif job.backbone_weights is not None:
        network.load_backbone(read_state_dict(job.backbone_weights, network.backbone), str(job.backbone_weights))
    return network


def load_initial(network: Network, path: Path) -> None:
    """Load the backbone from a model file or a checkpoint of the release, without its heads.

    Raises:
        UserError: the file is missing, damaged, or of a model that computes something else.
    """
    spec, weights = read_weights(path) if path.suffix != ".pyth" else _released(path)
    for key in SAME_FUNCTION if network.spec.model.backbone == MVIT == spec.model.backbone else SAME_BACKBONE:
        theirs, ours = getattr(spec.model, key), getattr(network.spec.model, key)
        if theirs != ours:
            raise UserError(f"{path}: made with {key} {theirs}, and this model has {ours}: choose another checkpoint")
    prefix = "backbone."
    backbone = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    network.load_backbone(backbone, str(path))


def _released(path: Path) -> tuple[Spec, dict[str, Tensor]]:
    """Specification and weights of a checkpoint of the release."""
    network = import_release(path)
    return network.spec, network.state_dict()


def init_record(job: Job) -> str | dict[str, str] | None:
    """The source of the initial weights, for run.json: a run, or the file given in its place."""
    name, path = job.run.init, job.backbone_weights
    if name is not None:
        path = job.pretrained.get(name)
    if path is None:
        return name
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ({"run": name} if name else {}) | {"file": str(path), "sha256": digest}


def build_objective(job: Job, spec: Spec, width: int) -> Objective:
    """The run's objective, from its settings, its recipe and its network's specification and width D.

    Raises:
        UserError: an extra loss cannot be imported, or fails on a random batch.
    """
    torch.manual_seed(derive(job.seed, "extra losses", job.name))
    classes = {name: len(names) for name, names in spec.classes.items()}
    embedding = spec.expander[1] if spec.expander else width
    where = f"runs.{job.name}.extra_losses"
    return Objective(
        job.run.datasets,
        job.run.informative,
        job.run.projection,
        job.run.weighting,
        job.recipe.variance_weight,
        job.recipe.covariance_weight,
        job.recipe.label_smoothing,
        load_terms(job.run.extra_losses, where, classes, width, embedding),
    )
