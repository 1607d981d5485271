"""Loading that several commands share: a scale with its CPU kernels, the job of a run, a recogniser."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from multitrain.config import kernels
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Scale

if TYPE_CHECKING:
    from multitrain.analysis.cost.estimate import Counts
    from multitrain.engine.setup import Job
    from multitrain.inference.predict import Recogniser

__all__ = ["computing_scale", "exit_when_preempted", "load_job", "load_recogniser", "video_counts"]


def computing_scale(scale: str, config: Path) -> Scale:
    """Load a scale and select the CPU kernels that it names. Must be called before torch and numpy are imported."""
    loaded = load_scale(scale, config)
    kernels.select_kernels(loaded.machine, lambda line: typer.echo(line, err=True))
    return loaded


def video_counts(scale: Scale, data: Path, published: Path) -> "dict[str, Counts]":
    """The videos of every dataset, for an estimate: of what is not prepared and not the paper's, those of its files."""
    from multitrain.analysis.cost.estimate import Counts, counts
    from multitrain.datasets.prepare import labelled_counts

    def listed(name: str) -> Counts:
        split, classes = labelled_counts(name, scale.datasets[name], scale.raw_folder(name, data))
        return Counts(split["train"], split["test"], classes, "files")

    return counts(scale, data, published, listed)


def load_job(run: str, scale: str, config: Path, seed: int, data: Path, results: Path, **options: Any) -> "Job":
    """The job of a run. An unknown run is an error before any data is read."""
    loaded = computing_scale(scale, config)
    from multitrain.engine.setup import make_job

    return make_job(loaded, load_experiments(config, loaded), run, seed, data, results, **options)


def load_recogniser(model: str, device: str, threads: int, batch: int = 16) -> "Recogniser":
    """Load a model as a recogniser. Assumptions about its clips are printed on standard error."""
    from multitrain.engine.processes.device import select_device

    chosen = select_device(device, threads)
    from multitrain.inference.models import load
    from multitrain.inference.predict import Recogniser

    recogniser = Recogniser(load(model), chosen, batch)
    if note := recogniser.card.note():
        sys.stderr.write(f"note: {model}: {note}\n")
    if recogniser.card.assumed:
        sys.stderr.write(
            f"note: {model} does not say how its clips were sampled: every third of 30 frames a second is assumed\n"
        )
    return recogniser


@contextmanager
def exit_when_preempted() -> Iterator[None]:
    """Turn `Preempted` into one line on standard error and its exit status."""
    from multitrain.engine.processes.preemption import Preempted

    try:
        yield
    except Preempted as preempted:
        typer.echo(str(preempted), err=True)
        raise typer.Exit(preempted.status) from None
