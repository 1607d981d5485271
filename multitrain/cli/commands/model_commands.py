"""Commands that use a trained model: predict, demo, features, export."""

import re
import signal
import threading
from functools import partial
from os.path import samefile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multitrain.cli.loading import load_recogniser
from multitrain.cli.options import Device, Jobs, Model, Split, Threads
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import require_writable
from multitrain.common.files.filenames import one_line, shown
from multitrain.common.progress import progress
from multitrain.config.scale import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from multitrain.inference.answers import Answer, Failure
    from multitrain.inference.predict import Plan, Recogniser
    from multitrain.inference.prediction_report import Detail, Form

__all__ = ["app"]

MOST_VIEWS = 100  # clips along time, all of which are in memory


app = typer.Typer()


@app.command()
def predict(
    model: Model,
    video: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders of them, http(s) addresses.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes shown of each dataset.")] = 5,
    datasets: Annotated[str | None, typer.Option(metavar="A,B", help=r"Heads to use. \[default: all]")] = None,
    views: Annotated[
        str | None, typer.Option(metavar="TxS", help=r"Clips along time x crops (1 or 3). \[default: as in testing]")
    ] = None,
    related: Annotated[bool, typer.Option("--related", help="Add related classes of other datasets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a video and line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line of CSV a class.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="File to write instead of the screen.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that decode ahead.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Views that the network sees at once.")] = 16,
    timeline: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Slide over one long video: a table, a picture, a page.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="SECONDS", help=r"Of --timeline: from part to part. \[default: half a part]")
    ] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Of --timeline: copy the video into the folder.")] = False,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Recognise videos: the most probable classes of every dataset that a model was trained on."""
    if as_json and as_csv:
        raise UserError("--json and --csv: choose one of them")
    chosen_views = parse_views(views)
    if timeline is not None:
        given = {"--views": views, "--related": related, "--json": as_json, "--csv": as_csv, "--out": out}
        given["--jobs"] = jobs > 1
        _check_timeline(video, hop, [name for name, value in given.items() if value])
    elif hop is not None or embed:
        raise UserError(f"--{'embed' if embed else 'hop'}: goes with --timeline FOLDER")
    from multitrain.inference.answers import Failure
    from multitrain.inference.prediction_report import Detail
    from multitrain.inference.video_inputs import videos

    items = videos(video)
    if timeline is not None and isinstance(items[0], Failure):
        raise UserError(f"{items[0].path}: {items[0].reason}")
    recogniser = load_recogniser(model, device, threads, batch)
    names = None if datasets is None else [name.strip() for name in datasets.split(",") if name.strip()]
    plan = _plan(recogniser, names, chosen_views)
    if timeline is not None:
        _write_timeline(recogniser, video[0], timeline, names, hop, top, embed)
        return
    form: Form = "json" if as_json else "csv" if as_csv else "table"
    detail = Detail(recogniser.network, recogniser.card, top, related)
    _write_answers(items, partial(recogniser.answers, plan=plan, jobs=jobs), out, form, detail)


def _plan(recogniser: "Recogniser", names: list[str] | None, views: Views | None) -> "Plan":
    """The plan of a prediction: heads and views."""
    try:
        return recogniser.plan(names, views)
    except UserError as error:
        raise UserError(f"--datasets: {error}") from None


def _write_timeline(
    recogniser: "Recogniser",
    video: str,
    folder: Path,
    names: list[str] | None,
    hop: float | None,
    top: int,
    embed: bool,
) -> None:
    from multitrain.inference.timelines.timeline import write_timeline

    made = write_timeline(recogniser, video, folder, names, hop, top, embed)
    if made.broken:
        raise UserError(f"{video}: read up to {made.times[-1, 1]:.1f} s only, damaged or cut off there")
    page = shown(folder / "timeline.html")
    typer.echo(f"{page}: open it in a browser; beside it timeline.csv and timeline.png")


def _write_answers(
    items: "list[str | Failure]",
    answers_of: "Callable[[list[str]], Iterator[Answer | Failure]]",
    out: Path | None,
    form: "Form",
    detail: "Detail",
) -> None:
    """Write each answer or failure as soon as it is computed."""
    from multitrain.inference.answers import Failure
    from multitrain.inference.prediction_report import open_report
    from multitrain.inference.video_inputs import is_address

    paths = [item for item in items if isinstance(item, str)]
    if out is not None and any(not is_address(path) and samefile(path, out) for path in paths if out.exists()):
        raise UserError(f"--out {out}: is one of the videos: name another file")
    with open_report(out, form, detail) as report:
        answers = answers_of(paths)
        with progress("predict", "video", len(items)) as bar:
            for item in items:
                answer = next(answers) if isinstance(item, str) else item
                if isinstance(answer, Failure):
                    report.failure(answer)
                else:
                    report.answer(answer)
                bar.update()
    if report.failures:
        raise UserError(f"{report.failures} of {len(items)} gave no answer: the reasons are above")


def _check_timeline(videos: list[str], hop: float | None, others: list[str]) -> None:
    """Raise a UserError for arguments that --timeline does not allow, before the model is loaded."""
    if others:
        raise UserError(f"{others[0]}: does not go with --timeline, which writes files of its own: leave it out")
    if len(videos) > 1 or Path(videos[0]).is_dir():
        raise UserError(f"--timeline: is of one video: {'a folder is' if len(videos) == 1 else len(videos)} given")
    if hop is not None and not 0 < hop < float("inf"):
        raise UserError(f"--hop {hop:g}: give seconds above 0")


@app.command()
def demo(
    model: Model,
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0: other machines too.")] = ("127.0.0.1"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 7860,
    limit: Annotated[int, typer.Option("--limit", min=1, help="MB of the largest video that is taken.")] = 500,
    explain: Annotated[bool, typer.Option(help="Show what decided the surest moment of each dataset.")] = True,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Serve a web page on this machine that shows the heads' answers and the timeline of a dropped video."""
    if not host.strip():
        raise UserError("--host: is empty: give an address of this machine")
    from multitrain.inference.demo.server import serving

    recogniser = load_recogniser(model, device, threads)
    ended = threading.Event()
    with serving(recogniser, host, port, limit * 1_000_000, explain) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        if not server.loopback:
            typer.echo("note: everybody who reaches this machine can send videos to this page", err=True)
        typer.echo(f"Open {server.address} in a browser; Ctrl-C ends it.")
        ended.wait()


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
    half: Annotated[bool, typer.Option("--half", help="ONNX or program with weights in float16.")] = False,
    threads: Threads = 1,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda or auto: where it is checked, and a program runs.")
    ] = "cpu",
) -> None:
    """Write a model for other runtimes, for any batch size. Each file is run and compared with the model first."""
    exports = [(out, suffix) for out, suffix in ((onnx, ".onnx"), (program, ".pt2")) if out]
    if not exports and folder is None:
        raise UserError("export: nothing to write: give --onnx OUT.onnx, --program OUT.pt2 or --folder OUT, or several")
    if half and folder is not None:
        raise UserError("--half: a folder is for `multitrain.load`, in float32: give it to --onnx or --program alone")
    if clips and not exports:
        raise UserError("--clips: checks --onnx and --program: leave it out with --folder alone")
    if clips and not clips.exists():  # before the folder of an output is made
        raise UserError(f"--clips {clips}: no such folder: name one of videos, or of a prepared dataset")
    for out, suffix in exports:
        if out.suffix != suffix:
            raise UserError(f"{out}: choose a name that ends in {suffix}")
        require_writable(out)
    from multitrain.engine.processes.device import select_device

    chosen = select_device(device, threads)
    from multitrain.inference.export import export_onnx, export_program, first_views, require_onnx
    from multitrain.inference.models import load
    from multitrain.model.files.model_folder import save_folder

    if onnx:
        require_onnx()
    network = load(model).to(chosen)
    real = first_views(network, clips, lambda line: typer.echo(line, err=True)) if clips else None
    if folder is not None:
        save_folder(folder, network)
        typer.echo(f"{folder}: model.safetensors, config.json and README.md, for `multitrain.load` or the hub")
    for out, suffix in exports:
        difference = (export_onnx if suffix == ".onnx" else export_program)(network, out, real, half)
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
    """Write a table of the features z of every clip in a folder, averaged over test views."""
    if out.suffix != ".parquet":
        raise UserError(f"{out}: choose a name that ends in .parquet")
    require_writable(out)
    from multitrain.inference.features import collect, frames_for, require_table, write_features

    require_table(out)

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


def parse_views(text: str | None) -> Views | None:
    """Views from the text TxS, e.g. 5x1.

    Raises:
        UserError: another form, or numbers out of range.
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,4})[x×]([0-9])", text)
    temporal, spatial = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= temporal <= MOST_VIEWS or spatial not in (1, 3):
        raise UserError(f"--views {text}: give TxS, 1 to {MOST_VIEWS} clips along time by 1 or 3 crops, e.g. 5x1")
    return Views(temporal=temporal, spatial=spatial)
