"""Benchmark of this machine for the time estimate: seconds per training clip, test view and prepared video.

It runs the product's own code on a dataset of the scale. Each process renders and prepares videos, then makes training
steps and evaluation batches of the scale's model. As many processes run side by side as there are cores.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multitrain.config import kernels
from multitrain.config.experiments import Experiments, Run
from multitrain.config.scale import Scale
from multitrain.config.world_settings import Published

if TYPE_CHECKING:  # imports torch, which must not load before the processes have their kernels
    import torch

    from multitrain.engine.setup import Job

__all__ = ["Pace", "measure", "measure_step"]
RUN = "measured"
STEPS, UNTIMED = 8, 2  # timed steps, and warm-up steps before them
VIEWS = 64  # views a batch of the timed evaluation
IMPORTS = "import multitrain.engine.train, multitrain.engine.evaluate"


@dataclass(frozen=True)
class Pace:
    """Seconds per unit of work of one process, while one process runs on each core."""

    cores: int
    train: dict[str, float]  # per training clip, by the model's size
    test: dict[str, float]  # per view of a test clip, decoding included
    video: float  # per video: rendered, published and prepared
    start: float  # start of a process with its imports
    measuring: float  # wall time of the benchmark itself


def measure(scale: Scale, run: Run, device: "torch.device") -> Pace:
    """Measure the pace of a synthetic scale on this machine, with the recipe of `run`.

    A process runs on each core, or one alone on an accelerator.
    """
    began = time.perf_counter()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = cores if device.type == "cpu" else 1
    os.environ.update(kernels.wanted(scale.machine))  # for the processes, which load their libraries after this
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = list(pool.map(_measure_process, [scale] * cores, [run] * cores, range(cores), [device] * cores))
    start = _seconds(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))
    trained, tested, videos = zip(*measured, strict=True)
    train, test = _means(trained), _means(tested)
    return Pace(cores, train, test, statistics.fmean(videos), start, time.perf_counter() - began)


def measure_step(scale: Scale, run: Run, device: "torch.device") -> tuple[float, int]:
    """Seconds of a training step of the base size in this process, on one thread, and its number of clips."""
    import torch

    from multitrain.engine.setup import Job

    torch.set_num_threads(1)
    name = next(name for name in scale.datasets if scale.synthetic(name))
    small, experiments = _reduced(scale, name, run)
    with tempfile.TemporaryDirectory(prefix="multitrain-") as folder:
        data = Path(folder)
        _video_seconds(small, name, data)
        runs = {RUN: experiments.runs[RUN].model_copy(update={"size": "base"})}
        job = Job(small, experiments.model_copy(update={"runs": runs}), RUN, 0, data, data)
        clips = job.recipe.batch * job.recipe.repeats
        return _clip_seconds(job, device) * clips, clips


def _measure_process(
    scale: Scale, run: Run, seed: int, device: "torch.device"
) -> tuple[dict[str, float], dict[str, float], float]:
    """One process: seconds per training clip and per view, by the model's size, and per video."""
    import torch

    from multitrain.engine.setup import Job

    torch.set_num_threads(1)
    name = next(name for name in scale.datasets if scale.synthetic(name))
    small, experiments = _reduced(scale, name, run)
    with tempfile.TemporaryDirectory(prefix="multitrain-") as folder:
        data = Path(folder)
        video = _video_seconds(small, name, data)
        train: dict[str, float] = {}
        test: dict[str, float] = {}
        for size in scale.sizes:
            runs = {RUN: experiments.runs[RUN].model_copy(update={"size": size})}
            job = Job(small, experiments.model_copy(update={"runs": runs}), RUN, seed, data, data)
            train[size], test[size] = _clip_seconds(job, device), _view_seconds(job, name, device)
    return train, test, video


def _reduced(scale: Scale, name: str, run: Run) -> tuple[Scale, Experiments]:
    """The scale with a few videos of one dataset, and experiments with one run on it."""
    from multitrain.synth.world import spec

    world = scale.made_world
    count = max(len(spec(name, world).classes), scale.recipes[run.recipe].batch) + 1
    videos = world.videos | {name: Published(train=count, validation=count)}
    bias = {**world.bias, name: {**world.bias.get(name, {}), "tail": 1.0}}  # a video of each class
    world = world.model_copy(update={"videos": videos, "bias": bias})
    dataset = scale.datasets[name].model_copy(update={"holdout": 0.0, "fraction": 1.0})
    own = run.model_copy(update={"datasets": (name,), "projection": "none", "init": None, "steps_of": None})
    update = {"world": world, "datasets": {**scale.datasets, name: dataset}}
    runs = Experiments.model_construct(runs={RUN: own}, tables={})  # no projections are shown
    return scale.model_copy(update=update), runs


def _video_seconds(scale: Scale, name: str, data: Path) -> float:
    """Render, publish and prepare the dataset; the seconds per video."""
    from multitrain.datasets.prepare import prepare
    from multitrain.synth.publishing.publish import publish

    settings, folder = scale.datasets[name], scale.clips_folder(name, data)

    def make() -> None:
        publish(name, scale.made_world, folder / "raw", settings.reader)
        prepare(name, settings, folder / "raw", folder)

    counts = scale.made_world.videos[name]
    return _seconds(make) / (counts.train + counts.validation)


def _clip_seconds(job: "Job", device: "torch.device") -> float:
    """Seconds per clip of a training step, augmentation and optimiser included."""
    from multitrain.data.loader import train_batches
    from multitrain.engine.processes.distributed import SINGLE_PROCESS
    from multitrain.engine.training_state import Training

    training = Training(job, device, SINGLE_PROCESS)
    recipe, total = job.recipe, UNTIMED + STEPS
    source = train_batches(training.clips, recipe.batch, 0, total, 0, training.share)
    parts = training.share.parts

    def step() -> None:
        training.step([next(source) for _ in range(parts)])
        _wait(device)

    times = [_seconds(step) for _ in range(total)]
    return statistics.median(times[UNTIMED:]) / (recipe.batch * recipe.repeats)


def _view_seconds(job: "Job", name: str, device: "torch.device") -> float:
    """Seconds per view of a test clip: decoding and forward pass."""
    import torch

    from multitrain.data.clips import ViewClips
    from multitrain.data.loader import view_batches
    from multitrain.engine.setup import build_network
    from multitrain.model.network import normalise

    source = job.source(name, "test")
    network = build_network(job, {name: source.classes}).eval().to(device)
    clips, views = ViewClips([source], job.scale.model.frames, job.size), 0

    def score() -> None:
        nonlocal views
        with torch.inference_mode():
            for batch in view_batches(clips, VIEWS):
                network(normalise(batch.video.to(device), network.spec.model.normalisation))
                views += len(batch.video)
        _wait(device)

    score()
    views = 0
    return _seconds(score) / views


def _wait(device: "torch.device") -> None:
    """Wait until an accelerator has computed what it was given."""
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _means(measured: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean over processes, by the model's size."""
    processes = list(measured)
    return {size: statistics.fmean(process[size] for process in processes) for size in processes[0]}
