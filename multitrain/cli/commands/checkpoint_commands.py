"""Read and write checkpoints of the authors' release."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.options import Model
from multitrain.common.errors import UserError, did_you_mean

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None


def _require_other_file(out: Path, source: Path) -> None:
    """Raise a UserError if the output would replace the input."""
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out}: is the file that is read: choose another name")


@app.command("import")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(metavar="FILE.pyth", help="A checkpoint of the authors' release.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.pt", help="Model file to write, for `multitrain.load`.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(metavar="[HEAD=]FILE", help="Class names of a head, one a line, in the order of its logits."),
    ] = None,
) -> None:
    """Read a checkpoint of the authors' release (weights only, nothing in it is executed) into a model file.

    The release stores no class names: without --classes they are numbers.
    """
    from multitrain.engine.checkpointing.checkpoint import save_network
    from multitrain.model.files.model_card import describe
    from multitrain.model.files.release import import_release

    if out.suffix != ".pt":
        raise UserError(f"{out}: a model file ends in .pt: choose such a name")
    _require_other_file(out, file)
    network = import_release(file)
    for value in classes or ():
        head, names = _class_names(value, network.spec.classes)
        network.spec = network.spec.model_copy(update={"classes": {**network.spec.classes, head: names}})
    with _writing(out):
        save_network(out, network)
    typer.echo(f"{out}: {describe(network)}")


def _class_names(value: str, heads: Mapping[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """The head that [HEAD=]FILE names, and the class names in the file.

    Raises:
        UserError: no such head or file, or names that are not as many different ones as the head has logits.
    """
    head, equals, file = value.partition("=")
    if not equals:
        head, file = next(iter(heads), ""), value
        if len(heads) != 1:
            raise UserError(f"--classes {value}: the heads are {', '.join(heads) or 'none'}: give HEAD=FILE")
    if head not in heads:
        raise UserError(f"--classes {value}: no head {head!r}: {did_you_mean(head, heads)}")
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--classes {file}: cannot be read ({error}): give a text file, one class a line") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != len(heads[head]):
        raise UserError(f"--classes {file}: {len(names)} names, and the head {head} has {len(heads[head])} classes")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"--classes {file}: {repeated[0]!r} comes twice: give each class its own name")
    return head, names


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
    _require_other_file(out, Path(model))
    network = load(model)
    with _writing(out):
        unsupported = export_release(network, out)
    typer.echo(f"{out}: {describe(network)}")
    for feature in unsupported:
        typer.echo(f"note: the release's own code cannot build {feature}; `checkpoint import` can")
