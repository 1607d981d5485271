"""`multitrain predict`: what a model's heads say of videos."""

import re
import sys
from os.path import samefile
from pathlib import Path
from typing import Annotated

import typer

from multitrain.config import Views
from multitrain.errors import UserError
from multitrain.names import shown
from multitrain.options import Device, Threads
from multitrain.progress import progress

MOST_VIEWS = 100  # along time; each is a clip in memory
Model = Annotated[str, typer.Argument(metavar="MODEL", help="model.pt, a saved folder, .pyth, owner/name on the hub.")]


def predict(
    model: Model,
    video: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders of them, http(s) addresses.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes shown of each dataset.")] = 5,
    datasets: Annotated[str | None, typer.Option(metavar="A,B", help=r"Heads to ask. \[default: all]")] = None,
    views: Annotated[
        str | None, typer.Option(metavar="TxS", help=r"Clips along time x crops (1 or 3). \[default: as in testing]")
    ] = None,
    related: Annotated[bool, typer.Option("--related", help="Add what other datasets' classes are related.")] = False,
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
    """Recognise videos: the likeliest classes of every dataset that a model was trained on."""
    if as_json and as_csv:
        raise UserError("--json and --csv: choose one of them")
    wanted = parse_views(views)
    if timeline is not None:
        given = {"--views": views, "--related": related, "--json": as_json, "--csv": as_csv, "--out": out}
        given["--jobs"] = jobs > 1
        _check_timeline(video, hop, [name for name, value in given.items() if value])
    elif hop is not None or embed:
        raise UserError(f"--{'embed' if embed else 'hop'}: goes with --timeline FOLDER")
    from multitrain.use.answers import Failure
    from multitrain.use.inputs import is_address, videos
    from multitrain.use.report import Detail, writing

    items = videos(video)
    if timeline is not None and isinstance(items[0], Failure):
        raise UserError(f"{items[0].path}: {items[0].reason}")
    recogniser = load_recogniser(model, device, threads, batch)
    names = None if datasets is None else [name.strip() for name in datasets.split(",") if name.strip()]
    try:
        plan = recogniser.plan(names, wanted)
    except UserError as error:
        raise UserError(f"--datasets: {error}") from None
    if timeline is not None:
        from multitrain.use.timeline import write_timeline

        made = write_timeline(recogniser, video[0], timeline, names, hop, top, embed)
        if made.broken:
            raise UserError(f"{video[0]}: read up to {made.times[-1, 1]:.1f} s only, damaged or cut off there")
        page = shown(timeline / "timeline.html")
        typer.echo(f"{page}: open it in a browser; beside it timeline.csv and timeline.png")
        return
    form = "json" if as_json else "csv" if as_csv else "table"
    paths = [item for item in items if isinstance(item, str)]
    if out is not None and any(not is_address(path) and samefile(path, out) for path in paths if out.exists()):
        raise UserError(f"--out {out}: is one of the videos: name another file")
    with writing(out, form, Detail(recogniser.network, recogniser.card, top, related)) as report:
        answers = recogniser.answers(paths, plan, jobs)
        with progress("predict", "video", len(items)) as bar:
            for item in items:
                answer = next(answers) if isinstance(item, str) else item
                (report.failure if isinstance(answer, Failure) else report.answer)(answer)
                bar.update()
    if report.failures:
        raise UserError(f"{report.failures} of {len(items)} gave no answer: the reasons are above")


def _check_timeline(videos: list[str], hop: float | None, others: list[str]) -> None:
    """Refuse what a timeline does not go with, before anything is loaded."""
    if others:
        raise UserError(f"{others[0]}: does not go with --timeline, which writes files of its own: leave it out")
    if len(videos) > 1 or Path(videos[0]).is_dir():
        raise UserError(f"--timeline: is of one video: {'a folder is' if len(videos) == 1 else len(videos)} given")
    if hop is not None and not 0 < hop < float("inf"):
        raise UserError(f"--hop {hop:g}: give seconds above 0")


def load_recogniser(model: str, device: str, threads: int, batch: int = 16):
    """The recogniser of a model's name; says on standard error what had to be assumed."""
    from multitrain.cli import _torch_device  # the same as of the commands of a run

    chosen = _torch_device(device, threads)
    from multitrain.use.models import load
    from multitrain.use.predict import Recogniser

    recogniser = Recogniser(load(model), chosen, batch)
    if note := recogniser.card.note():
        sys.stderr.write(f"note: {model}: {note}\n")
    if recogniser.card.assumed:
        sys.stderr.write(
            f"note: {model} does not say how its clips were sampled: every third of 30 frames a second is assumed\n"
        )
    return recogniser


def parse_views(text: str | None) -> Views | None:
    """TxS as views.

    Raises:
        UserError: it is of another form, or of numbers that no view has.
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,4})[x×]([0-9])", text)
    temporal, spatial = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= temporal <= MOST_VIEWS or spatial not in (1, 3):
        raise UserError(f"--views {text}: give TxS, 1 to {MOST_VIEWS} clips along time by 1 or 3 crops, e.g. 5x1")
    return Views(temporal=temporal, spatial=spatial)
