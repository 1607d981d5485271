"""One's own folder as one more dataset of joint training: the settings of such a run, ready to be trained."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from multitrain.config import Scale
from multitrain.configfile import load_experiments, load_scale
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpoint import save_network
from multitrain.errors import UserError
from multitrain.experiments import Experiments, ProjectionTable, Run
from multitrain.files import atomic
from multitrain.model.card import assumed_card
from multitrain.model.network import Network
from multitrain.settings import Settings
from multitrain.sources.prepare import prepare
from multitrain.use.choices import Choices, check_names
from multitrain.use.finetune import START, own_dataset

RUN = "joined"
OTHER_HEADS = {"head_hidden", "head_dropout"}  # what a backbone does not depend on


@dataclass(frozen=True)
class Base:
    """The configuration that is added to."""

    scale: str  # name, or path of a file
    config: Path
    data: Path
    datasets: Sequence[str] | None = None  # None: those that the checkpoint has heads for


def join(
    network: Network,
    videos: Path,
    out: Path,
    base: Base,
    choices: Choices,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Prepare the folder beside the other datasets, write `out`/config, and return the commands that train and score.

    The run is the paper's: informative loss, projections between all datasets, uncertainty weighting; its recipe is the
    joint one of the scale.

    Raises:
        UserError: the folder cannot be used, the scale does not fit the checkpoint, or a dataset is not prepared.
    """
    scale = load_scale(base.scale, base.config)
    template = _template(load_experiments(base.config, scale), base.config)
    check_names(out, videos, network, choices)
    if choices.name in scale.datasets:
        raise UserError(f"--name {choices.name}: scale {scale.name} has such a dataset already: choose another name")
    others = _others(scale, network, base)
    card = network.card or assumed_card(network.spec.classes)
    own = own_dataset(videos, card, choices, network.spec.size)
    datasets = {**scale.datasets, choices.name: own}
    scale = Scale.model_validate(scale.model_copy(update={"datasets": datasets}).model_dump())
    prepare(choices.name, own, videos, base.data / scale.name / choices.name, 0, jobs, progress)
    run = template.model_copy(update={"datasets": (*others, choices.name), "init": START, "steps_of": None})
    runs = {START: run.model_copy(update={"init": None}), RUN: run}
    shown = ProjectionTable(title="Projections", published="table4.csv", runs=(RUN,))
    save_network(out / "start.pt", network)
    _write(out / "config" / "scales" / f"{scale.name}.yaml", scale, f"# {scale.name} and the videos of {videos}")
    experiments = Experiments(runs=runs, tables={}, projections=shown)
    _write(out / "config" / "experiments.yaml", experiments, f"# {RUN}: {', '.join(run.datasets)}")
    return _commands(scale.name, out, base.data, run, choices.seed)


def _template(experiments: Experiments, config: Path) -> Run:
    """The paper's method among the runs, at the base size."""
    for run in experiments.runs.values():
        if run.size == "base" and run.informative and run.projection == "add" and run.weighting == "uncertainty":
            return run
    raise UserError(f"{config / 'experiments.yaml'}: no run with the paper's losses at size base to take after")


def _others(scale: Scale, network: Network, base: Base) -> tuple[str, ...]:
    """The datasets to train with, all of them prepared."""
    ours, theirs = scale.model.model_dump(exclude=OTHER_HEADS), network.spec.model.model_dump(exclude=OTHER_HEADS)
    if differing := [key for key, value in ours.items() if theirs[key] != value]:
        key = differing[0]
        raise UserError(
            f"--scale {scale.name}: its model has {key} {ours[key]}, the checkpoint's {theirs[key]}: "
            "choose the scale that the checkpoint was trained at"
        )
    names = base.datasets if base.datasets is not None else [n for n in network.spec.classes if n in scale.datasets]
    if not names:
        raise UserError(f"--with: name datasets to train with: scale {scale.name} has {', '.join(scale.datasets)}")
    for name in names:
        scale.dataset(name)
        manifest = read_manifest(base.data / scale.name / name / "manifest.parquet", ["video_id"])
        if not len(manifest.split("train")):
            raise UserError(f"{manifest.folder}: no clip to train on: leave {name} out of --with")
    return tuple(dict.fromkeys(names))


def _commands(scale: str, out: Path, data: Path, run: Run, seed: int) -> list[str]:
    where = ["--scale", scale, "--config-dir", str(out / "config"), "--data", str(data), "--results", str(out)]
    where += ["--seed", str(seed)]
    train = ["multitrain", "train", RUN, *where, "--pretrained", f"{START}={out / 'start.pt'}"]
    return [shlex.join(train), *(shlex.join(["multitrain", "evaluate", RUN, name, *where]) for name in run.datasets)]


def _write(path: Path, settings: Settings, first: str) -> None:
    """Settings as YAML, whole or not at all."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=1000)
    try:
        with atomic(path) as temporary:
            temporary.write_text(f"{' '.join(first.split())}\n{text}", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}): choose another --out") from None
