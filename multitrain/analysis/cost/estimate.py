"""Estimated time and size of a scale's runs, before training.

docs/reference/estimate.md explains the model and checks it.

A run's arithmetic is its clips times the operations of a forward pass times the passes of a step; the time is that by
a sustained throughput, and not less than what the processors need to decode the clips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pandas as pd

from multitrain.analysis.cost.flops import cost, passes
from multitrain.analysis.cost.memory import WEIGHT, Saved, parameters, peak, saved, state_bytes
from multitrain.analysis.datasets.accounting import read_published
from multitrain.common.errors import UserError
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.data.manifest import read_manifest

__all__ = ["Counts", "Estimate", "Pace", "Speed", "Time", "counts", "default_speed", "estimate", "machine_time"]

AUGMENT = 1.5e-7  # core-seconds of RandAugment for a pixel of a clip, in the mean over its operations
RESUME_POINTS = 2  # the newest and the one before it
DECODED = 32 * 320**2 * 16 / 9  # pixels of the clip that `clips_per_core` is of: 32 frames of 568x320
CACHED = 2 * 3  # bytes in the cache of frames for a decoded pixel: a video is about twice as long as its clip
OPENING = 0.003  # core-seconds of a video whatever its size: scale mini's clips, whose pixels cost next to nothing
GIB = 2**30


@dataclass(frozen=True)
class Speed:
    """Speeds of a machine, per second, with their source: docs/reference/estimate.md."""

    tflops: float  # of a training process, sustained, two operations a multiply-accumulate
    clips_per_core: float  # decoded, cropped and scaled by one core: clips of 32 frames, 320 pixels high


ACCELERATOR = Speed(7.5, 15.0)  # the release's joint training; docs/reference/scaling.md
PROCESSOR = Speed(0.048, 15.0)  # scale desk, one thread of an AMD EPYC; docs/reference/estimate.md


@dataclass(frozen=True)
class Counts:
    """Videos of a dataset as this scale uses it."""

    train: int
    test: int
    classes: int
    source: str  # manifest, paper, world or files


@dataclass(frozen=True)
class Estimate:
    """One run with one seed. Hours are of one accelerator (or process), but for `days`, which are by the clock."""

    run: str
    size: str
    gflops: float  # of a forward pass, multiply-accumulates, as the paper counts
    videos: int  # to train on
    steps: int
    clips: int  # over all steps
    passes: int  # forward passes that a step's arithmetic is worth
    train_hours: float
    test_clips: int  # views of all tested videos
    test_hours: float
    days: float  # of the training, on the scale's machine
    memory_gib: float  # of a process, beside what its libraries keep
    resume_gb: float  # of disk, while it trains
    model_gb: float  # of disk, afterwards
    clips_per_second: float  # that a process would train on if decoding cost nothing
    cores: float  # that decode them, for a process


class Pace(Protocol):
    """Measured pace (`multitrain.planning.measure`): seconds of one of `cores` parallel processes."""

    @property
    def cores(self) -> int: ...

    @property
    def train(self) -> dict[str, float]: ...  # of a training clip, by size

    @property
    def test(self) -> dict[str, float]: ...  # of a view of a tested clip

    @property
    def video(self) -> float: ...  # made

    @property
    def start(self) -> float: ...  # of a process

    @property
    def measuring(self) -> float: ...  # by the clock


@dataclass(frozen=True)
class Time:
    """Seconds by the clock of one seed, with a process a core; `seed` is the sum of the three before it."""

    train: float
    test: float
    start: float
    seed: float
    world: float  # rendering and preparing its videos, once a world
    processes: int

    def all(self, seeds: int, worlds: int) -> float:
        """The hours of a number of seeds in a number of worlds."""
        return seeds * self.seed + worlds * self.world


def machine_time(
    scale: Scale, experiments: Experiments, found: list[Estimate], videos: dict[str, Counts], pace: Pace
) -> Time:
    """The time of the runs `found` here, where there is always a job for every core."""
    train = sum(each.clips * pace.train[each.size] for each in found)
    test = sum(each.test_clips * pace.test[each.size] for each in found)
    names = {name for each in found for name in experiments.runs[each.run].datasets}
    processes = len(found) + sum(len(experiments.runs[each.run].datasets) for each in found)
    videos_of = scale.made_world.videos
    made = sum(videos_of[name].train + videos_of[name].validation for name in names)
    parts = [seconds_ / pace.cores for seconds_ in (train, test, processes * pace.start)]
    return Time(parts[0], parts[1], parts[2], sum(parts), made * pace.video / pace.cores, processes)


def default_speed(scale: Scale) -> Speed:
    """The assumed speed where the user gives none."""
    return ACCELERATOR if scale.machine.gpus else PROCESSOR


def counts(
    scale: Scale, data: Path, published: Path, listed: Callable[[str], Counts] | None = None
) -> dict[str, Counts]:
    """Videos of every dataset: those of its manifest, else those that its publisher ships, as the settings divide them.

    Of several worlds the first's: the others have as many, but for what is damaged. `listed` counts a dataset that has
    neither a manifest nor a count of the paper's.

    Raises:
        UserError: a dataset has no count.
    """
    folders = {name: scale.clips_folder(name, data) / "manifest.parquet" for name in scale.datasets}
    return {name: _counts(scale, name, manifest, published, listed) for name, manifest in folders.items()}


def _counts(scale: Scale, name: str, manifest: Path, published: Path, listed: Callable[[str], Counts] | None) -> Counts:
    if manifest.is_file():
        prepared = read_manifest(manifest, ["clip_id"])
        train, test = (len(prepared.split(split)) for split in ("train", "test"))
        return Counts(train, test, len(prepared.classes), "manifest")
    dataset, paper, classes = scale.datasets[name], *_published(published)
    if scale.synthetic(name):
        its = scale.made_world.videos[name]
        train, test, source = its.train, its.validation, "world"
    elif (name, "train") in paper.index and (name, "validation") in paper.index:
        train, test, source = paper[name, "train"], paper[name, "validation"], "paper"
    elif listed is not None and dataset.raw is not None:
        return listed(name)
    else:
        paper_file = published / "datasets.csv"
        raise UserError(f"{manifest}: no such manifest, and {paper_file} has no {name}: prepare it first")
    train, test = (round(dataset.fraction * count) for count in (train, test))
    return Counts(round((1 - dataset.holdout) * train), test, classes.get(name, 0), source)


@cache
def _published(folder: Path) -> tuple[pd.Series, dict[str, int]]:
    """The paper's counts, and its numbers of classes."""
    paper = read_published(folder / "datasets.csv")
    table = pd.read_csv(folder / "datasets.csv")
    if "classes" not in table:
        raise UserError(f"{folder / 'datasets.csv'}: no column classes")
    return paper, dict(zip(table["dataset"], table["classes"].astype(int), strict=True))


def steps_of(scale: Scale, experiments: Experiments, name: str, videos: dict[str, Counts]) -> int:
    """Steps of a run, as engine/setup.py counts them.

    Raises:
        UserError: its clips are fewer than one batch.
    """
    run = experiments.run(name)
    paced = experiments.run(run.steps_of) if run.steps_of else run
    recipe = paced.effective_recipe(scale.recipes)
    there = sum(videos[dataset].train for dataset in paced.datasets)
    if there < recipe.batch:
        raise UserError(f"run {name}: {there} training clips are fewer than one batch of {recipe.batch}")
    return max(round(recipe.epochs * (there // recipe.batch)), 1)


def decoding(pixels: float, speed: Speed) -> float:
    """Core-seconds of a video of which so many pixels are decoded, cropped and scaled."""
    return OPENING + pixels / DECODED * (1 / speed.clips_per_core - OPENING)


def seconds(clips: float, operations: float, decode: float, workers: int, speed: Speed) -> float:
    """Seconds of one process for a number of clips, with operations and core-seconds of decoding per clip.

    Without workers a process decodes and computes in turn; with them the slower of the two decides.
    """
    compute = operations / (speed.tflops * 1e12)
    return clips * (max(compute, decode / workers) if workers else compute + decode)


def decoded_pixels(scale: Scale, datasets: tuple[str, ...], weights: dict[str, int]) -> float:
    """Decoded pixels per clip, as a mean over the datasets' clips."""
    total = sum(weights[name] for name in datasets)
    sides = sum(weights[name] * scale.datasets[name].transcode.short_side ** 2 for name in datasets) / max(total, 1)
    return scale.model.frames * sides * (16 / 9 if scale.world is None else 1)


def estimate(scale: Scale, experiments: Experiments, videos: dict[str, Counts], speed: Speed) -> list[Estimate]:
    """The estimates of all runs of the experiments, for one seed."""
    found = []
    for name, run in experiments.runs.items():
        model = scale.model if run.backbone is None else scale.model.with_backbone(scale.backbone_of(run.backbone))
        kept = saved(model, scale.sizes[run.size], scale.machine.precision)
        gflops = cost(scale, run.size, run.backbone).gflops
        found.append(_estimate(scale, experiments, name, videos, speed, gflops, kept))
    return found


def _estimate(
    scale: Scale,
    experiments: Experiments,
    name: str,
    videos: dict[str, Counts],
    speed: Speed,
    gflops: float,
    kept: Saved,
) -> Estimate:
    run, machine = experiments.runs[name], scale.machine
    recipe, forward = run.effective_recipe(scale.recipes), 2e9 * gflops  # a multiply-accumulate is two operations
    steps = steps_of(scale, experiments, name, videos)
    worth = passes(scale, run, recipe, recipe.parts(machine.processes))
    clips = steps * recipe.batch * recipe.repeats
    pixels = decoded_pixels(scale, run.datasets, {dataset: videos[dataset].train for dataset in run.datasets})
    decode = decoding(pixels, speed) / recipe.repeats  # once for all clips of a video
    there = sum(videos[dataset].train for dataset in run.datasets)
    if there * pixels * CACHED <= machine.cache_mb * 1e6:
        decode /= max(steps * recipe.batch / max(there, 1), 1)  # in the first epoch alone
    if recipe.randaugment:
        decode += AUGMENT * scale.model.frames * scale.sizes[run.size] ** 2
    train = seconds(clips, forward * worth, decode, machine.workers, speed)
    views = [(videos[dataset].test, scale.datasets[dataset].views) for dataset in run.datasets]
    tested = sum(count * view.temporal * view.spatial for count, view in views)
    test = seconds(tested, forward, decoding(pixels, speed), machine.workers, speed)
    weights = parameters(scale, run, recipe, {dataset: max(videos[dataset].classes, 1) for dataset in run.datasets})
    micro = -(-recipe.batch * recipe.repeats // (machine.processes * recipe.parts(machine.processes)))
    pace = speed.tflops * 1e12 / (forward * worth)
    return Estimate(
        run=name,
        size=run.size,
        gflops=gflops,
        videos=there,
        steps=steps,
        clips=clips,
        passes=worth,
        train_hours=train / 3600,
        test_clips=tested,
        test_hours=test / 3600,
        days=train / 86400 / machine.processes,
        memory_gib=peak(weights, micro, kept, scale, run, recipe) / GIB,
        resume_gb=RESUME_POINTS * state_bytes(weights, recipe) / 1e9,
        model_gb=WEIGHT * weights / 1e9,
        clips_per_second=pace,
        cores=pace * decode,
    )
