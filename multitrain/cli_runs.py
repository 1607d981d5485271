"""`multitrain checkpoint ...` and `multitrain status`: what people ask of trainings and their files."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli_predict import Model
from multitrain.config import Scale
from multitrain.configfile import load_experiments, load_scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import regular
from multitrain.options import ConfigFolder, ResultsFolder, ScaleName, Seeds

app = typer.Typer()
checkpoints = typer.Typer(help="Read and write checkpoints of the authors' release.", no_args_is_help=True)


@app.command()
def status(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    watch: Annotated[float | None, typer.Option(min=1, metavar="SECONDS", help="Print it anew so often.")] = None,
) -> None:
    """Show how far every run is: waiting, running, stopped, preempted, failed or finished."""
    loaded = load_scale(scale, config)
    experiments = load_experiments(config, loaded)
    if not results.is_dir():
        typer.echo(f"note: {results}: no such folder: every run is shown as waiting", err=True)
    try:
        while True:
            _show_status(loaded, experiments, seed, results, as_json, clear=watch is not None)
            if watch is None:
                return
            time.sleep(watch)
    except KeyboardInterrupt:  # how a watch ends
        return


def _show_status(
    scale: Scale, experiments: Experiments, seed: list[int] | None, results: Path, as_json: bool, clear: bool
) -> None:
    """Without a seed, those that any run has a folder for."""
    from rich.console import Console

    from multitrain.analysis.status import run_statuses, seeds_on_disk
    from multitrain.analysis.status_table import plain, render

    found = run_statuses(scale, experiments, seed or seeds_on_disk(scale, results) or (0,), results)
    if as_json:
        typer.echo(json.dumps(plain(found), indent=2))
        return
    console = Console(highlight=False)
    if clear and console.is_terminal:
        console.clear()
    render(found, scale, console)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None


def _other(out: Path, read: Path) -> None:
    """Raises a UserError where what is written would replace what is read."""
    if out.exists() and read.exists() and out.samefile(read):
        raise UserError(f"{out}: is the file that is read: choose another name")


@checkpoints.command("import")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(metavar="FILE.pyth", help="A checkpoint of the authors' release.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.pt", help="Model file to write, for `multitrain.load`.")],
) -> None:
    """Read a checkpoint of the authors' release (weights only, nothing in it is executed) into a model file."""
    from multitrain.engine.checkpoint import save_network
    from multitrain.model.release import import_release

    if out.suffix != ".pt":
        raise UserError(f"{out}: a model file ends in .pt: choose such a name")
    _other(out, file)
    network = import_release(file)
    with _writing(out):
        save_network(out, network)
    typer.echo(f"{out}: {_described(network)}")


@checkpoints.command("export")
def export_checkpoint(
    model: Model,
    out: Annotated[Path, typer.Argument(metavar="OUT.pyth", help="Checkpoint to write.")],
) -> None:
    """Write a model as a checkpoint of the authors' release; `checkpoint import` reads it back bit for bit."""
    from multitrain.model.release import export_release
    from multitrain.use.models import load

    if out.suffix != ".pyth":
        raise UserError(f"{out}: a checkpoint of the release ends in .pyth: choose such a name")
    _other(out, Path(model))
    network = load(model)
    with _writing(out):
        beyond = export_release(network, out)
    typer.echo(f"{out}: {_described(network)}")
    for what in beyond:
        typer.echo(f"note: the release's own code cannot build {what}; `checkpoint import` can")


def _described(network) -> str:
    """What a checkpoint holds, in a line."""
    spec = network.spec
    heads = ", ".join(f"{name} ({len(classes)} classes)" for name, classes in spec.classes.items()) or "none"
    blocks = "+".join(map(str, spec.model.depths))
    weights = sum(value.numel() for value in network.parameters())
    parts = [
        f"{spec.model.frames} frames of {spec.size} pixels",
        f"{spec.model.channels} channels",
        f"{blocks} blocks",
        f"{weights:,} weights",
        f"{'MLP' if spec.model.head_hidden else 'linear'} heads: {heads}",
    ]
    parts += ["projections"] if spec.projections else []
    parts += [f"expander {spec.expander[0]}-{spec.expander[1]}"] if spec.expander else []
    return "; ".join(parts)


def pretrained_files(values: list[str]) -> dict[str, Path]:
    """RUN=FILE of the command line as {run: file}.

    Raises:
        UserError: another form, a run named twice, or no such file.
    """
    found: dict[str, Path] = {}
    for value in values:
        run, _, file = value.partition("=")
        if not run or not file:
            raise UserError(f"--pretrained {value}: give RUN=FILE, e.g. k400_baseline=k400.pyth")
        if run in found:
            raise UserError(f"--pretrained {value}: {run} has {found[run]} already: give one file a run")
        found[run] = Path(file)
        if not regular(found[run]).is_file():
            raise UserError(f"--pretrained {value}: no such file")
    return found
