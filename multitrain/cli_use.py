"""`multitrain export` and `multitrain features`: a trained model for other programs, and what it sees as a table."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli_predict import Model, load_recogniser
from multitrain.errors import UserError
from multitrain.files import regular
from multitrain.names import one_line, shown
from multitrain.options import Device, Jobs, Split, Threads
from multitrain.progress import progress

app = typer.Typer()

CHECKED = 4  # clips of --clips in the check


@app.command()
def export(
    model: Model,
    onnx: Annotated[Path | None, typer.Option("--onnx", metavar="OUT.onnx", help="ONNX file to write.")] = None,
    program: Annotated[
        Path | None, typer.Option("--program", metavar="OUT.pt2", help="PyTorch's exported program to write.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="OUT", help="Folder to write: safetensors and JSON, as on the hub."),
    ] = None,
    clips: Annotated[
        Path | None, typer.Option("--clips", metavar="FOLDER", help="Videos to check the file with, besides noise.")
    ] = None,
    threads: Threads = 1,
) -> None:
    """Write a model for other runtimes, for any batch; the file is run and compared with the model before it stays."""
    wanted = [(out, suffix) for out, suffix in ((onnx, ".onnx"), (program, ".pt2")) if out]
    if not wanted and folder is None:
        raise UserError("export: nothing to write: give --onnx OUT.onnx, --program OUT.pt2 or --folder OUT, or several")
    if clips and not wanted:
        raise UserError("--clips: checks --onnx and --program: leave it out with --folder alone")
    if clips and not clips.exists():  # before a folder is made for what is written
        raise UserError(f"--clips {clips}: no such folder: name one of videos, or of a prepared dataset")
    for out, suffix in wanted:
        if out.suffix != suffix:
            raise UserError(f"{out}: choose a name that ends in {suffix}")
        _writable(out)
    import torch

    import multitrain
    from multitrain.use.export import export_onnx, export_program, require_onnx

    if onnx:
        require_onnx()
    torch.set_num_threads(threads)
    network = multitrain.load(model)
    real = _clips(network, clips) if clips else None
    if folder is not None:
        multitrain.save(network, folder)
        typer.echo(f"{folder}: model.safetensors, config.json and README.md, for `multitrain.load` or the hub")
    for out, suffix in wanted:
        difference = (export_onnx if suffix == ".onnx" else export_program)(network, out, real)
        typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB; largest difference from the model {difference:.1e}")


@app.command()
def features(
    model: Model,
    where: Annotated[Path, typer.Argument(metavar="FOLDER", help="Videos, or a prepared dataset (its manifest).")],
    out: Annotated[Path, typer.Argument(metavar="OUT.parquet", help="Table to write.")],
    dataset: Annotated[
        str | None, typer.Option("--like", metavar="DATASET", help="Look at the videos as this dataset's head does.")
    ] = None,
    split: Annotated[Split | None, typer.Option("--split", help="Of a prepared dataset; without it, test.")] = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = 1,
) -> None:
    """Write the features z of every clip of a folder, a row a clip: the mean over its test views."""
    if out.suffix != ".parquet":
        raise UserError(f"{out}: choose a name that ends in .parquet")
    _writable(out)
    _replaceable(out)
    from multitrain.use.features import collect, frames_for, write_features

    collection = collect(where, (split or Split.test).value)
    if split and collection.split is None:
        raise UserError(f"--split {split.value}: {where} is no prepared dataset: leave it out, all videos are taken")
    recogniser = load_recogniser(model, device, threads)
    head, frames = frames_for(recogniser, dataset or collection.dataset)
    if dataset and head != dataset:
        raise UserError(f"--like {dataset}: the model has heads of {', '.join(recogniser.card.datasets)}")
    typer.echo(f"{shown(where)}: {len(collection.clips)} clips, looked at as those of {head}", err=True)
    with progress("features", "clip", len(collection.clips)) as bar:
        failures = write_features(
            recogniser, collection, frames, out, jobs, done=lambda done, _: bar.update(done - bar.n)
        )
    for failure in failures:
        typer.echo(f"error: {shown(failure.path)}: {one_line(failure.reason)}", err=True)
    read, width = len(collection.clips) - len(failures), recogniser.network.backbone.width
    typer.echo(f"{shown(out)}: {read} clips, {width} features")
    if failures:
        raise UserError(f"{len(failures)} of {len(collection.clips)} videos could not be read and are not in {out}")


def _writable(out: Path) -> None:
    """Before the long work: a place that a file can be written to."""
    if out.is_dir():
        raise UserError(f"{out}: is a folder: name a file in it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): choose another place") from None


def _replaceable(out: Path) -> None:
    """Raises a UserError where a file is there that is no table of features, such as the manifest of a dataset."""
    if not os.path.lexists(out):
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    from multitrain.use.features import FORMAT

    try:
        said = json.loads((pq.read_schema(regular(out)).metadata or {}).get(b"multitrain", b"{}"))
        ours = isinstance(said, dict) and said.get("format") == FORMAT
    except (pa.ArrowException, OSError, ValueError):
        ours = False
    if not ours:
        raise UserError(f"{out}: is there and is no table of features, which alone is replaced: choose another name")


def _clips(network, where: Path):
    """The first view of the first videos of a folder that can be read, (N, 3, T, S, S) uint8; says which cannot."""
    import torch

    from multitrain.use.features import collect, frames_for
    from multitrain.use.frames import read_views
    from multitrain.use.predict import Recogniser

    collection, recogniser = collect(where, "test"), Recogniser(network)
    _, frames = frames_for(recogniser, collection.dataset)
    found = []
    for clip in collection.clips:
        try:
            found.append(read_views(collection.folder / clip.path, frames, *recogniser.size)[:1])
        except UserError as error:
            typer.echo(f"note: {error}; left out of the check", err=True)
        if len(found) == CHECKED:
            break
    if not found:
        raise UserError(f"--clips {where}: none of {len(collection.clips)} videos can be read: leave it out")
    return torch.cat(found)
