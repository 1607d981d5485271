"""Read and write checkpoints of the authors' release."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.options import Model
from multitrain.common.errors import UserError

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True)


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


@app.command("import")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(metavar="FILE.pyth", help="A checkpoint of the authors' release.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.pt", help="Model file to write, for `multitrain.load`.")],
) -> None:
    """Read a checkpoint of the authors' release (weights only, nothing in it is executed) into a model file."""
    from multitrain.engine.checkpointing.checkpoint import save_network
    from multitrain.model.files.model_card import describe
    from multitrain.model.files.release import import_release

    if out.suffix != ".pt":
        raise UserError(f"{out}: a model file ends in .pt: choose such a name")
    _other(out, file)
    network = import_release(file)
    with _writing(out):
        save_network(out, network)
    typer.echo(f"{out}: {describe(network)}")


@app.command("export")
def export_checkpoint(
    model: Model,
    out: Annotated[Path, typer.Argument(metavar="OUT.pyth", help="Checkpoint to write.")],
) -> None:
    """Write a model as a checkpoint of the authors' release; `checkpoint import` reads it back bit for bit."""
    from multitrain.inference.models import load
    from multitrain.model.files.model_card import describe
    from multitrain.model.files.release import export_release

    if out.suffix != ".pyth":
        raise UserError(f"{out}: a checkpoint of the release ends in .pyth: choose such a name")
    _other(out, Path(model))
    network = load(model)
    with _writing(out):
        beyond = export_release(network, out)
    typer.echo(f"{out}: {describe(network)}")
    for what in beyond:
        typer.echo(f"note: the release's own code cannot build {what}; `checkpoint import` can")
