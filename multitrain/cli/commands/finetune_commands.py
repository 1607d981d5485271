"""`multitrain finetune` and `multitrain new`: adapt a trained model to own videos; write a study of them."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multitrain.cli.loading import exit_when_preempted, video_counts
from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    Device,
    Jobs,
    Model,
    PublishedFolder,
    ScaleName,
    Seed,
    Threads,
    Workers,
)
from multitrain.common.errors import UserError
from multitrain.common.progress import progress_callback
from multitrain.config.config_files import load_settings

if TYPE_CHECKING:
    from multitrain.inference.finetune.finetune_options import FinetuneOptions
    from multitrain.model.network import Network

__all__ = ["app"]

app = typer.Typer()


@app.command()
def finetune(
    model: Model,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Videos as FOLDER/class/video.mp4.")],
    out: Annotated[Path, typer.Option("--out", metavar="OUT", help="New folder to write to.")],
    freeze: Annotated[bool, typer.Option("--freeze", help="Train the new head alone; others do not change.")] = False,
    keep: Annotated[bool, typer.Option("--keep-heads", help="Keep the other heads; they get worse.")] = False,
    name: Annotated[str, typer.Option("--name", help="Name of the new head: small letters, digits, _.")] = "own",
    like: Annotated[str | None, typer.Option("--like", metavar="DATASET", help="Sample frames as this head.")] = None,
    no_flip: Annotated[bool, typer.Option("--no-flip", help="Left and right are different actions.")] = False,
    epochs: Annotated[float | None, typer.Option(help="Passes over the videos. \\[default: by number]")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate. \\[default: by width]")] = None,
    joined: Annotated[bool, typer.Option("--join", help="Write a joint training that includes the folder.")] = False,
    others: Annotated[
        str | None, typer.Option("--with", metavar="A,B", help="With --join: datasets. \\[default: the model's]")
    ] = None,
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    seed: Seed = 0,
    jobs: Jobs = 1,
    workers: Workers = 0,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Fine-tune a model on the classes of a folder of videos. After an interruption it resumes.

    With --join nothing is trained yet: the folder is prepared as one more dataset of a scale. The command writes the
    settings of a joint training with projections to and from it, and prints the commands that train and score it.
    """
    _check_options(freeze, keep, epochs, lr, joined, others)
    from multitrain.engine.processes.preemption import InterruptibleWork

    with exit_when_preempted(), InterruptibleWork():
        from multitrain.engine.processes.device import select_device
        from multitrain.inference.finetune.finetune import finetune as run_finetune
        from multitrain.inference.finetune.finetune_options import FinetuneOptions
        from multitrain.inference.models import load

        chosen = select_device(device, threads)
        network = load(model)
        if network.card is None:
            note = "does not say how its clips were sampled: 30 frames a second are assumed"
            sys.stderr.write(f"note: {model} {note}\n")
        options = FinetuneOptions(name, like, freeze, keep, not no_flip, epochs, lr, seed)
        if joined:
            names = None if others is None else [each.strip() for each in others.split(",") if each.strip()]
            _join(network, folder, out, (scale, config, data, names), options, jobs)
            return
        report = run_finetune(network, folder, out, options, chosen, jobs, workers, progress_callback("videos"))
    typer.echo(report, nl=False)


def _check_options(
    freeze: bool, keep: bool, epochs: float | None, lr: float | None, joined: bool, others: str | None
) -> None:
    """Raise a UserError for options that contradict each other, before the model is loaded."""
    for option, value in (("--epochs", epochs), ("--lr", lr)):
        if freeze and value is not None:
            raise UserError(f"{option}: a head alone is fitted until it gets no better: leave it out with --freeze")
    if joined and (freeze or keep or epochs is not None or lr is not None):
        raise UserError("--join: the scale's joint recipe is used: leave out --freeze, --keep-heads, --epochs, --lr")
    if others is not None and not joined:
        raise UserError("--with: names datasets of a joint training: add --join")


def _join(network: "Network", folder: Path, out: Path, base: tuple, options: "FinetuneOptions", jobs: int) -> None:
    from multitrain.inference.finetune.join import Base, join

    commands = join(network, folder, out, Base(*base), options, jobs, progress_callback("videos"))
    typer.echo(f"{out / 'config'}: written. To train it, to score it, and to see the scores:")
    for command in commands:
        typer.echo(command)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the study; its name is the study's.")],
    data: Annotated[
        list[str],
        typer.Option("--data", metavar="NAME=PATH", help="Folder of classes or of lists, or a list; repeatable."),
    ],
    published: PublishedFolder = Path("resources/published"),
) -> None:
    """Look at your own videos and write a study of them into one file, which the workflow then runs."""
    from multitrain.inference.finetune.new_study import new_study

    datasets: dict[str, Path] = {}
    for value in data:
        name, _, path = value.partition("=")
        if not name or not path:
            raise UserError(f"--data {value}: give NAME=PATH, e.g. films=my-videos")
        if name in datasets:
            raise UserError(f"--data {value}: {name} is {datasets[name]} already: give each dataset a name of its own")
        datasets[name] = Path(path)
    written = new_study(folder, datasets, partial(_table_cost, published))
    typer.echo(written.read_text(encoding="utf-8"))
    typer.echo(f"{written}: written; next: snakemake --cores all --configfile {written}", err=True)


def _table_cost(published: Path, study: Path, table: str) -> str:
    """What the runs of a table take, by the estimate that `multitrain estimate` prints."""
    from multitrain.analysis.cost.estimate import default_speed, estimate
    from multitrain.analysis.cost.estimate_page import hours

    scale, experiments = load_settings(study.stem, study)
    videos = video_counts(scale, study.parent, published)
    runs = experiments.shown_runs(table)
    found = [each for each in estimate(scale, experiments, videos, default_speed(scale)) if each.run in runs]
    return f"by `multitrain estimate`: {hours(scale, found, 1)}"
