"""When does joint training help: one factor at a time round a scale's setting (config/sweep.yaml).

A point of the sweep is the scale with other values, a derived scale with a name and, where the world differs, data of
its own. Points with the same world share its clips; a value that the scale has anyway is the base point.
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
USUAL = 4  # datasets of a point's joint runs
SEGMENTS = 1.5  # clips of an untrimmed video, in the mean
JOINT = {"Vanilla": "vanilla", "MultiTrain": "multitrain", "w/o Projection Loss": "wo_projection"}
BASELINE = "Baseline, steps of MultiTrain"


def _whole(value: float, least: int) -> bool:
    return value >= least and value == int(value)


FACTORS: dict[str, tuple[str, str, Callable[[float], bool]]] = {  # title, what a value can be, whether one is that
    "clips": ("Training clips a class", "a whole number from 1 on", lambda value: _whole(value, 1)),
    "related": ("Related classes, share of the possible", "0 to 1", lambda value: 0 <= value <= 1),
    "projection": ("Initial projections, std", "0 or more", lambda value: value >= 0),
    "datasets": ("Datasets", "a whole number from 2 on", lambda value: _whole(value, 2)),
    "appearance": ("Appearance", "0 to 1", lambda value: 0 <= value <= 1),
    "noise": ("Label noise", "0 or more and below 1", lambda value: 0 <= value < 1),
}


class Sweep(Settings):
    """config/sweep.yaml."""

    seeds: Seeds = Field(description="of the trainings of each point")
    epochs_factor: Positive = Field(description="factor on the scale's epochs at every point")
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
    scale: Scale  # its name is that of the world, in whose folder the clips are
    experiments: Experiments

    @property
    def datasets(self) -> tuple[str, ...]:
        """Those of its joint runs."""
        return self.experiments.runs["multitrain"].datasets

    def settings(self) -> str:
        """All that its trainings depend on, as text."""
        return json.dumps(
            [self.scale.model_dump(mode="json"), self.experiments.model_dump(mode="json")], sort_keys=True
        )


@dataclass(frozen=True)
class Points:
    """The points of a sweep: several values may have one, which is trained once."""

    sweep: Sweep | None  # of a scale that has none to vary
    by_name: dict[str, Point]
    of: dict[tuple[str, float], str]  # (factor, value): name of its point

    def point(self, name: str) -> Point:
        """The point of that name, or a UserError."""
        if name not in self.by_name:
            raise UserError(f"no point {name!r} in the sweep: {did_you_mean(name, self.by_name)}")
        return self.by_name[name]

    def data_settings(self, name: str, dataset: str) -> str:
        """All that a dataset of a point's world depends on, as text."""
        scale = self.point(name).scale
        world = scale.made_world.model_dump(mode="json", exclude={"videos"})
        part = scale.datasets[dataset].model_dump(mode="json", include={"reader", "clip_seconds", "transcode"})
        return json.dumps([world, scale.made_world.videos[dataset].model_dump(), part], sort_keys=True)


def load_points(scale: Scale, experiments: Experiments, config: Path | str = "config") -> Points:
    """The sweep of config/sweep.yaml round a scale.

    Raises:
        UserError: a mistake in that file, or a scale that it does not fit: without a synthetic world, or a dataset.
    """
    path = Path(config) / "sweep.yaml"
    sweep = parse(Sweep, read_yaml(path), path)
    if scale.world is None:
        raise UserError(f"scale {scale.name} has no synthetic world, which a sweep varies: choose another --scale")
    if lacking := [name for name in sweep.datasets if not (name in scale.datasets and scale.synthetic(name))]:
        raise UserError(f"{path}: datasets: scale {scale.name} has no synthetic {lacking[0]!r}: take it out")
    points: dict[str, Point] = {}
    names: dict[str, str] = {}  # by settings
    worlds: dict[str, str] = {}  # by content
    of: dict[tuple[str, float], str] = {}
    wanted = [(BASE, 0.0), *((factor, value) for factor, values in sweep.factors.items() for value in values)]
    for factor, value in wanted:
        name = BASE if factor == BASE else f"{factor}_{value:g}".replace(".", "p").replace("-", "m")
        try:
            derived, runs = derive(scale, experiments, sweep, factor, value)
        except (UserError, ValidationError) as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise UserError(f"{path}: factors.{factor}: {value:g}: {said.removeprefix('Value error, ')}") from None
        world = derived.made_world.model_dump_json() + str({k: v.model_dump() for k, v in derived.datasets.items()})
        named = derived.model_copy(update={"name": worlds.setdefault(world, f"{scale.name}_sweep_{name}")})
        point = Point(name, named, runs)
        of[factor, value] = names.setdefault(point.settings(), name)
        points.setdefault(of[factor, value], point)
    return Points(sweep, points, {key: name for key, name in of.items() if key[0] != BASE})


def derive(
    scale: Scale, experiments: Experiments, sweep: Sweep, factor: str, value: float
) -> tuple[Scale, Experiments]:
    """The scale and the runs of one value of a factor, or of the base; the scale's name is still the old one."""
    count = int(value) if factor == "datasets" else min(USUAL, len(sweep.datasets))
    chosen = sweep.datasets[:count]
    usual = {name: _clips(scale, name) for name in sweep.datasets}
    clips = usual
    if factor == "clips":
        clips = {name: int(value) * KINDS[name].classes for name in sweep.datasets}
    world = _world(scale, sweep, clips, factor, value)
    runs = _runs(experiments, chosen)
    recipes = {}
    for name, run in runs.items():
        recipe = _run(experiments, name, run).effective_recipe(scale.recipes)
        own, here = (sum(its[each] for each in run.datasets) for its in (usual, clips))
        more = sweep.epochs_factor * own / here
        change = {"epochs": recipe.epochs * more, "warmup_epochs": recipe.warmup_epochs * more}
        change |= {"projection_std": value} if factor == "projection" and run.projection != "none" else {}
        recipes[name] = recipe.model_copy(update=change)
    datasets = {name: scale.datasets[name].model_copy(update={"holdout": 0.0}) for name in sweep.datasets}
    derived = scale.model_copy(update={"world": world, "recipes": recipes, "datasets": datasets})
    derived = Scale.model_validate(derived.model_dump())
    runs = {name: run.model_copy(update={"recipe": name, "set": {}}) for name, run in runs.items()}
    shown = experiments.projections.model_copy(update={"runs": ("multitrain",)})
    return derived, Experiments(runs=runs, tables={}, projections=shown)


def _clips(scale: Scale, name: str) -> int:
    """Training clips of a dataset of the scale, about."""
    each = SEGMENTS if scale.datasets[name].reader == "activitynet" else 1
    return round(scale.made_world.videos[name].train * (1 - scale.datasets[name].holdout) * each)


def _world(scale: Scale, sweep: Sweep, clips: dict[str, int], factor: str, value: float) -> World:
    """No clip is held out, so that as few are rendered as are trained on."""
    videos = {}
    for name, count in clips.items():
        each = SEGMENTS if scale.datasets[name].reader == "activitynet" else 1
        test = min(sweep.test_videos, scale.made_world.videos[name].validation)
        videos[name] = {"train": max(round(count / each), KINDS[name].classes), "validation": test}
    bias = {name: dict(scale.made_world.bias.get(name, {})) for name in sweep.datasets}
    if factor in ("appearance", "noise"):
        bias = {name: its | {factor: value} for name, its in bias.items()}
    seed = scale.made_world.seed + sweep.world_seed_offset
    content = scale.made_world.model_dump(exclude={"run_seeds"}) | {"seed": seed, "videos": videos, "bias": bias}
    if factor != "related":
        return World.model_validate(content)
    for name in ("mit", "ssv2", "actnet"):
        bias[name]["relatives"] = 0  # the others' count does not change what one can have
    for name in ("mit", "ssv2", "actnet"):
        bias[name]["relatives"] = 2 * round(value * _most(content, name) / 2)
    return World.model_validate(content)


def _most(content: dict, name: str) -> int:
    """The largest even number of relatives that a dataset can have in a world."""
    from multitrain.synth.world import specs  # numpy: not before the command line knows the scale's kernels

    for count in range(KINDS[name].classes // 2 * 2, 0, -2):
        bias = content["bias"] | {name: content["bias"][name] | {"relatives": count}}
        try:
            specs(World.model_validate(content | {"bias": bias}))
        except UserError:
            continue
        return count
    return 0


def _runs(experiments: Experiments, datasets: tuple[str, ...]) -> dict[str, Run]:
    """The run that all start from, each dataset's baseline of as many steps as MultiTrain, and the joint runs."""
    first = experiments.baseline(datasets[0], scratch=True)
    runs = {first: experiments.runs[first]}
    for name in datasets:
        own = experiments.runs[experiments.baseline(name)]
        trained = {"recipe": own.recipe, "set": own.set}
        runs[f"{name}_longer"] = Run(datasets=(name,), **trained, steps_of="multitrain", init=first)
    joint = {name: experiments.runs[name] for name in JOINT.values()}
    return runs | {name: run.model_copy(update={"datasets": datasets, "init": first}) for name, run in joint.items()}


def _run(experiments: Experiments, name: str, run: Run) -> Run:
    """The scale's own run of that name, if it has one, whose recipe is taken."""
    return experiments.runs.get(name, run)
