"""What several commands load: a scale to compute at, the job of a run, a device, a model that answers."""

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
    from multitrain.engine.setup import Job
    from multitrain.inference.predict import Recogniser

__all__ = ["computing_scale", "exit_when_preempted", "load_job", "load_recogniser"]


def computing_scale(scale: str, config: Path) -> Scale:
    """The scale of a command that computes, with the kernels that it asks for: before torch and numpy are loaded."""
    loaded = load_scale(scale, config)
    kernels.select_kernels(loaded.machine, lambda line: typer.echo(line, err=True))
    return loaded


def load_job(run: str, scale: str, config: Path, seed: int, data: Path, results: Path, **how: Any) -> "Job":
    """The job of a run, an unknown one refused before anything is read."""
    loaded = computing_scale(scale, config)
    from multitrain.engine.setup import make_job

    return make_job(loaded, load_experiments(config, loaded), run, seed, data, results, **how)


def load_recogniser(model: str, device: str, threads: int, batch: int = 16) -> "Recogniser":
    """The recogniser of a model's name; prints what had to be assumed to standard error."""
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
    """Make of a training that was asked to stop a line on standard error and the exit status that says so."""
    from multitrain.engine.processes.preemption import Preempted

    try:
        yield
    except Preempted as stopped:
        typer.echo(str(stopped), err=True)
        raise typer.Exit(stopped.status) from None
