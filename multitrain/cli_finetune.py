"""`multitrain finetune`: a trained model on one's own videos."""

from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli_predict import Model
from multitrain.errors import UserError
from multitrain.options import Device, Jobs, Seed, Threads, Workers


def finetune(
    model: Model,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Videos as FOLDER/class/video.mp4.")],
    out: Annotated[Path, typer.Option("--out", metavar="OUT", help="New folder to write to.")],
    freeze: Annotated[bool, typer.Option("--freeze", help="Train the new head alone; others stay as good.")] = False,
    keep: Annotated[bool, typer.Option("--keep-heads", help="Leave the other heads in; they get worse.")] = False,
    name: Annotated[str, typer.Option("--name", help="Name of the new head: small letters, digits, _.")] = "own",
    like: Annotated[str | None, typer.Option("--like", metavar="DATASET", help="Sample frames as this head.")] = None,
    no_flip: Annotated[bool, typer.Option("--no-flip", help="Left and right are different actions.")] = False,
    epochs: Annotated[float | None, typer.Option(min=0.01, help="Passes over the videos. [default: by number]")] = None,
    rate: Annotated[float | None, typer.Option(min=1e-9, help="Peak learning rate. [default: 3e-4]")] = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    workers: Workers = 0,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Give a model a head for the classes of a folder of videos; started again, it goes on where it was."""
    from multitrain.cli import _bar, _torch_device  # the same as of the commands of a run

    for option, value in (("--epochs", epochs), ("--rate", rate)):
        if freeze and value is not None:
            raise UserError(f"{option}: a head alone is fitted until it gets no better: leave it out with --freeze")
    chosen = _torch_device(device, threads)
    from multitrain.engine.preemption import EXIT_PREEMPTED, Preempted
    from multitrain.use.finetune import Choices
    from multitrain.use.finetune import finetune as run_finetune
    from multitrain.use.models import load

    choices = Choices(name, like, freeze, keep, not no_flip, epochs, rate, seed)
    try:
        report = run_finetune(load(model), folder, out, choices, chosen, jobs, workers, _bar("videos"))
    except Preempted as stopped:
        typer.echo(str(stopped), err=True)
        raise typer.Exit(EXIT_PREEMPTED) from None
    typer.echo(report, nl=False)
