"""The points of the sweep "when does joint training help": one factor at a time varies around a scale's setting.

config/sweep.yaml lists the factors and their values. A point is a derived scale with its own name. A point whose world
differs has its own data; points with the same world share the clips. A value that the scale already has is the base
point.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from multitrain.common.errors import UserError, did_you_mean
from multitrain.config.base import Count, Name, Positive, Seeds, Settings
from multitrain.config.bias import KINDS
from multitrain.config.config_files import parse, read_yaml
from multitrain.config.experiments import Experiments, Run
from multitrain.config.scale import Scale, World

__all__ = ["BASE", "FACTORS", "JOINT", "Point", "Points", "Sweep", "load_points"]

BASE = "base"
JOINT_DATASETS = 4  # datasets of a joint run, if the factor is not their number
CLIPS_PER_VIDEO = 1.5  # mean number of clips of an untrimmed video
JOINT = {"Vanilla": "vanilla", "MultiTrain": "multitrain", "w/o Projection Loss": "wo_projection"}


def _is_whole(value: float, least: int) -> bool:
    return value >= least and value == int(value)


FACTORS: dict[str, tuple[str, str, Callable[[float], bool]]] = {  # title, description of its values, check of a value
    "clips": ("Training clips a class", "a whole number from 1 on", lambda value: _is_whole(value, 1)),
    "related": ("Related classes, share of the possible", "0 to 1", lambda value: 0 <= value <= 1),
    "projection": ("Initial projections, std", "0 or more", lambda value: value >= 0),
    "datasets": ("Datasets", "a whole number from 2 on", lambda value: _is_whole(value, 2)),
    "appearance": ("Appearance", "0 to 1", lambda value: 0 <= value <= 1),
    "noise": ("Label noise", "0 or more and below 1", lambda value: 0 <= value < 1),
}


class Sweep(Settings):
    """config/sweep.yaml."""

    seeds: Seeds = Field(description="of the trainings of each point")
    epochs_factor: Positive = Field(description="factor on the scale's epochs at every point")
    lr: dict[Name, Positive] = Field({}, description="learning rates of runs at these epochs, in place of the scale's")
    world_seed_offset: int = Field(
        ge=0, description="added to the world's seed, so that no video of the scale's own is seen"
    )
    test_videos: Count = Field(description="of each dataset")
    datasets: tuple[Name, ...] = Field(min_length=2, description="the first four make a joint run")
    factors: dict[str, tuple[float, ...]] = Field(description="values of each factor")

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, values in self.factors.items():
            if name not in FACTORS:
                raise ValueError(f"factors: no factor {name!r}: {did_you_mean(name, FACTORS)}")
            _, allowed, fits = FACTORS[name]
            for value in values:
                if not fits(value):
                    raise ValueError(f"factors.{name}: {value:g} is out of range: give {allowed}")
            if not values or len(set(values)) < len(values):
                raise ValueError(f"factors.{name}: give one or more values, each once")
        if not self.factors:
            raise ValueError("factors: none to vary: name one or more")
        if (most := max(self.factors.get("datasets", (0,)))) > (count := len(self.datasets)):
            raise ValueError(f"factors.datasets: {most:g} is more than the {count} of datasets: add some there")
        return self


@dataclass(frozen=True)
class Point:
    """One setting of the sweep, at which all methods are trained."""

    name: str
    scale: Scale  # named after the world, whose folder contains the clips
    experiments: Experiments

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets of the joint runs."""
        return self.experiments.runs["multitrain"].datasets

    def settings(self) -> str:
        """All settings that the point's trainings depend on, as JSON."""
        return json.dumps(
            [self.scale.model_dump(mode="json"), self.experiments.model_dump(mode="json")], sort_keys=True
        )


@dataclass(frozen=True)
class Points:
    """The points of a sweep. Several values may share a point, which is trained once."""

    sweep: Sweep | None  # None for a scale without a synthetic world
    by_name: dict[str, Point]
    names: dict[tuple[str, float], str]  # (factor, value): name of its point

    def point(self, name: str) -> Point:
        """The point with this name; a UserError if there is none."""
        if name not in self.by_name:
            raise UserError(f"no point {name!r} in the sweep: {did_you_mean(name, self.by_name)}")
        return self.by_name[name]

    def data_settings(self, name: str, dataset: str) -> str:
        """All settings that a dataset of a point's world depends on, as JSON."""
        scale = self.point(name).scale
        world = scale.made_world.model_dump(mode="json", exclude={"videos"})
        part = scale.datasets[dataset].model_dump(mode="json", include={"reader", "clip_seconds", "transcode"})
        return json.dumps([world, scale.made_world.videos[dataset].model_dump(), part], sort_keys=True)


def load_points(scale: Scale, experiments: Experiments, config: Path | str = "config") -> Points:
    """Read config/sweep.yaml and derive the sweep's points from a scale.

    Raises:
        UserError: a mistake in that file, or a scale that lacks a synthetic world or one of the datasets.
    """
    path = Path(config) / "sweep.yaml"
    sweep = parse(Sweep, read_yaml(path), path)
    if scale.world is None:
        raise UserError(f"scale {scale.name} has no synthetic world, which a sweep varies: choose another --scale")
    if lacking := [name for name in sweep.datasets if not (name in scale.datasets and scale.synthetic(name))]:
        raise UserError(f"{path}: datasets: scale {scale.name} has no synthetic {lacking[0]!r}: take it out")
    points: dict[str, Point] = {}
    by_settings: dict[str, str] = {}  # name of the first point with these settings
    worlds: dict[str, str] = {}  # name of the scale by the world's content
    names: dict[tuple[str, float], str] = {}
    wanted = [(BASE, 0.0), *((factor, value) for factor, values in sweep.factors.items() for value in values)]
    for factor, value in wanted:
        name = BASE if factor == BASE else f"{factor}_{value:g}".replace(".", "p").replace("-", "m")
        try:
            derived, runs = derive(scale, experiments, sweep, factor, value)
        except (UserError, ValidationError) as error:
            message = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise UserError(f"{path}: factors.{factor}: {value:g}: {message.removeprefix('Value error, ')}") from None
        world = derived.made_world.model_dump_json() + str({k: v.model_dump() for k, v in derived.datasets.items()})
        swept = {"name": worlds.setdefault(world, f"{scale.name}_sweep_{name}"), "clips_of": None}
        named = derived.model_copy(update=swept)
        point = Point(name, named, runs)
        names[factor, value] = by_settings.setdefault(point.settings(), name)
        points.setdefault(names[factor, value], point)
    runs_there = {name for point in points.values() for name in point.experiments.runs}
    if unknown := [name for name in sweep.lr if name not in runs_there]:
        raise UserError(f"{path}: lr: no run {unknown[0]!r} in the sweep: {did_you_mean(unknown[0], runs_there)}")
    return Points(sweep, points, {key: name for key, name in names.items() if key[0] != BASE})


def derive(
    scale: Scale, experiments: Experiments, sweep: Sweep, factor: str, value: float
) -> tuple[Scale, Experiments]:
    """The derived scale, under the old name, and the runs for one value of a factor or for the base."""
    count = int(value) if factor == "datasets" else min(JOINT_DATASETS, len(sweep.datasets))
    chosen = sweep.datasets[:count]
    base_clips = {name: _clips(scale, name) for name in sweep.datasets}
    clips = base_clips
    if factor == "clips":
        clips = {name: int(value) * KINDS[name].classes for name in sweep.datasets}
    world = _world(scale, sweep, clips, factor, value)
    runs = _runs(experiments, chosen)
    recipes = {}
    for name, run in runs.items():
        recipe = experiments.runs.get(name, run).effective_recipe(scale.recipes)  # the study's run of that name first
        base_sum, own_sum = (sum(counts[each] for each in run.datasets) for counts in (base_clips, clips))
        longer = sweep.epochs_factor * base_sum / own_sum  # the same number of steps
        change = {"epochs": recipe.epochs * longer, "warmup_epochs": recipe.warmup_epochs * longer}
        change |= {"projection_std": value} if factor == "projection" and run.projection != "none" else {}
        change |= {"lr": sweep.lr[name]} if name in sweep.lr else {}
        recipes[name] = recipe.model_copy(update=change)
    datasets = {name: scale.datasets[name].model_copy(update={"holdout": 0.0}) for name in sweep.datasets}
    derived = scale.model_copy(update={"world": world, "recipes": recipes, "datasets": datasets})
    derived = Scale.model_validate(derived.model_dump())
    runs = {name: run.model_copy(update={"recipe": name, "set": {}}) for name, run in runs.items()}
    shown = experiments.projections and experiments.projections.model_copy(update={"runs": ("multitrain",)})
    return derived, Experiments(runs=runs, tables={}, projections=shown)


def _clips(scale: Scale, name: str) -> int:
    """Approximate number of training clips of a dataset at the scale."""
    train = scale.made_world.videos[name].train * (1 - scale.datasets[name].holdout)
    return round(train * _clips_per_video(scale, name))


def _clips_per_video(scale: Scale, name: str) -> float:
    return CLIPS_PER_VIDEO if scale.datasets[name].reader == "activitynet" else 1


def _world(scale: Scale, sweep: Sweep, clips: dict[str, int], factor: str, value: float) -> World:
    """The world of a point. It holds out no clips, so every rendered training video is trained on."""
    videos = {}
    for name, count in clips.items():
        test = min(sweep.test_videos, scale.made_world.videos[name].validation)
        train = max(round(count / _clips_per_video(scale, name)), KINDS[name].classes)
        videos[name] = {"train": train, "validation": test}
    bias = {name: dict(scale.made_world.bias.get(name, {})) for name in sweep.datasets}
    if factor in ("appearance", "noise"):
        bias = {name: settings | {factor: value} for name, settings in bias.items()}
    seed = scale.made_world.seed + sweep.world_seed_offset
    content = scale.made_world.model_dump(exclude={"run_seeds"}) | {"seed": seed, "videos": videos, "bias": bias}
    if factor != "related":
        return World.model_validate(content)
    for name in ("mit", "ssv2", "actnet"):
        bias[name]["relatives"] = 0  # the largest possible count does not depend on the other datasets
    for name in ("mit", "ssv2", "actnet"):
        bias[name]["relatives"] = 2 * round(value * _max_relatives(content, name) / 2)
    return World.model_validate(content)


def _max_relatives(content: dict, name: str) -> int:
    """The largest even number of related classes that a dataset can have in a world."""
    from multitrain.synth.world import specs  # imports numpy, which must not load before the kernels are chosen

    for count in range(KINDS[name].classes // 2 * 2, 0, -2):
        bias = content["bias"] | {name: content["bias"][name] | {"relatives": count}}
        try:
            specs(World.model_validate(content | {"bias": bias}))
        except UserError:
            continue
        return count
    return 0


def _runs(experiments: Experiments, datasets: tuple[str, ...]) -> dict[str, Run]:
    """The run with the initial weights, each dataset's baseline with the steps of MultiTrain, and the joint runs."""
    first = experiments.baseline(datasets[0], scratch=True)
    runs = {first: experiments.runs[first]}
    for name in datasets:
        own = experiments.runs[experiments.baseline(name)]
        trained = {"recipe": own.recipe, "set": own.set}
        runs[f"{name}_longer"] = Run(datasets=(name,), **trained, steps_of="multitrain", init=first)
    joint = {name: experiments.runs[name] for name in JOINT.values()}
    return runs | {name: run.model_copy(update={"datasets": datasets, "init": first}) for name, run in joint.items()}
