"""Join a folder of videos to multi-dataset training: prepared clips and the configuration of such a run."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.config.base import Settings
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Experiments, ProjectionTable, Run
from multitrain.config.model_settings import Model
from multitrain.config.scale import Dataset, Scale
from multitrain.data.manifest import read_manifest
from multitrain.datasets.formats import class_folders
from multitrain.datasets.prepare import prepare
from multitrain.datasets.required_splits import require_prepared
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.inference.finetune.finetune import START, own_dataset
from multitrain.inference.finetune.finetune_options import (
    FinetuneOptions,
    check_options,
    require_training_videos,
    reserve_output,
)
from multitrain.model.files.metadata import assumed_card
from multitrain.model.network import Network

__all__ = ["Base", "join"]

RUN = "joined"
RECORD = "finetune.json"  # beside the prepared clips, as in OUT
OTHER_SETTINGS = {"head_hidden", "head_dropout", "backbone_weights"}  # settings that the backbone does not depend on


@dataclass(frozen=True)
class Base:
    """The configuration that the folder is added to."""

    scale: str  # name, or path of a file
    config: Path
    data: Path
    datasets: Sequence[str] | None = None  # None: those that the checkpoint has heads for


def join(
    network: Network,
    videos: Path,
    out: Path,
    base: Base,
    options: FinetuneOptions,
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
    check_options(out, videos, network, options)
    if options.name in scale.datasets:
        raise UserError(f"--name {options.name}: scale {scale.name} has such a dataset already: choose another name")
    others = _others(scale, network, base, scale.world_of(options.seed))
    card = network.card or assumed_card(network.spec.classes)
    if not str(videos.resolve()).isprintable():
        raise UserError(f"{videos}: its path cannot be written into the settings of a training: rename the folder")
    own = own_dataset(videos, card, options, network.spec.size)
    datasets = {**scale.datasets, options.name: own}
    scale = Scale.model_validate(scale.model_copy(update={"datasets": datasets}).model_dump())
    run = template.model_copy(update={"datasets": (*others, options.name), "init": START, "steps_of": None})
    runs = {START: run.model_copy(update={"init": None}), RUN: run}
    shown = ProjectionTable(title="Projections", published="table4.csv", runs=(RUN,))
    class_folders.read(videos, own)  # raises before anything is written
    home = scale.clips_folder(options.name, base.data, scale.world_of(options.seed))
    _check_home(home, own)
    joint = {"scale": scale.name, "datasets": list(others), "data": str(base.data.resolve())}
    with reserve_output(out, videos, network, options, **joint):
        _write_description(home, own)
        manifest = prepare(options.name, own, videos, home, 0, jobs, progress)
        require_training_videos(videos, manifest)
        require_prepared(videos, manifest)
        save_network(out / "start.pt", network)
        _write(out / "config" / "scales" / f"{scale.name}.yaml", scale, f"# {scale.name} and the videos of {videos}")
        experiments = Experiments(runs=runs, tables={}, projections=shown)
        _write(out / "config" / "experiments.yaml", experiments, f"# {RUN}: {', '.join(run.datasets)}")
    return _commands(scale.name, out, base.data, run, options.seed)


def _check_home(home: Path, own: Dataset) -> None:
    """Raise a UserError where a folder of data holds other files than clips of these videos with these settings.

    A joint training that has begun reads them.
    """
    if not home.is_dir() or all(path.name.startswith(".partial-") for path in home.iterdir()):
        return
    try:
        before = dict(json.loads((home / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UserError(f"{home}: holds clips of something else: choose another --name, or another --data") from None
    wanted = _description(own)
    if before.get("videos") != wanted["videos"]:
        raise UserError(f"{home}: holds the clips of {before.get('videos')}: choose another --name, or another --data")
    if before != wanted:
        raise UserError(f"{home}: holds clips made as for another head: give the same --like, or choose another --name")


def _description(own: Dataset) -> dict:
    return {"videos": own.raw, "transcode": own.transcode.model_dump(mode="json")}


def _write_description(home: Path, own: Dataset) -> None:
    try:
        write_json(home / RECORD, _description(own), ascii=False)
    except OSError as error:
        raise UserError(f"{home}: cannot be written ({error.strerror}): choose another --data") from None


def _template(experiments: Experiments, config: Path) -> Run:
    """The run of the paper's method at the base size."""
    for run in experiments.runs.values():
        if run.size == "base" and run.informative and run.projection == "add" and run.weighting == "uncertainty":
            return run
    raise UserError(f"{config / 'experiments.yaml'}: no run with the paper's losses at size base to take after")


def _others(scale: Scale, network: Network, base: Base, world: int) -> tuple[str, ...]:
    """The datasets to train with, all of them prepared."""
    ours, theirs = scale.model, network.spec.model
    keys = [key for key in Model.model_fields if key not in OTHER_SETTINGS]
    if differing := [key for key in keys if getattr(ours, key) != getattr(theirs, key)]:
        key = differing[0]
        raise UserError(
            f"--scale {scale.name}: its model has {key} {getattr(ours, key)}, the checkpoint's {getattr(theirs, key)}: "
            "choose the scale that the checkpoint was trained at"
        )
    names = base.datasets if base.datasets is not None else [n for n in network.spec.classes if n in scale.datasets]
    if not names:
        raise UserError(f"--with: name datasets to train with: scale {scale.name} has {', '.join(scale.datasets)}")
    for name in names:
        scale.dataset(name)
        manifest = read_manifest(scale.clips_folder(name, base.data, world) / "manifest.parquet", ["video_id"])
        if not len(manifest.split("train")):
            raise UserError(f"{manifest.folder}: no clip to train on: leave {name} out of --with")
    return tuple(dict.fromkeys(names))


def _commands(scale: str, out: Path, data: Path, run: Run, seed: int) -> list[str]:
    where = ["--scale", scale, "--config-dir", str(out / "config"), "--data", str(data), "--results", str(out)]
    where += ["--seed", str(seed)]
    train = ["multitrain", "train", RUN, *where, "--pretrained", f"{START}={out / 'start.pt'}"]
    scored = [["multitrain", "evaluate", RUN, name, *where] for name in run.datasets]
    data_option = where.index("--data")
    shown = ["multitrain", "status", *where[:data_option], *where[data_option + 2 :]]
    return [shlex.join(words) for words in (train, *scored, shown)]


def _write(path: Path, settings: Settings, first: str) -> None:
    """Write settings as YAML (atomic write) under a comment `first`."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=1000)
    try:
        with atomic(path) as temporary:
            temporary.write_text(f"{' '.join(first.split())}\n{text}", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}): choose another --out") from None
