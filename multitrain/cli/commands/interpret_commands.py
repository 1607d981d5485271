"""Commands that look inside a model and its predictions: inspect, confusion, calibration, explain."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.loading import load_recogniser
from multitrain.cli.options import ConfigFolder, DataFolder, Device, Model, Split, Threads
from multitrain.common.errors import UserError
from multitrain.common.files.filenames import shown

__all__ = ["app"]

app = typer.Typer()


class Method(StrEnum):
    """How the places and moments that decided are found."""

    occlusion = "occlusion"
    gradcam = "gradcam"
    rollout = "rollout"


RunFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A run's, e.g. results/runs/mini/multitrain/seed0.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help=r"May be given several times. \[default: all]")]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help=r"Where files are written. \[default: FOLDER/errors]")]


@app.command()
def inspect(
    model: Model,
    classes: Annotated[bool, typer.Option("--classes", help="Name every class.")] = False,
    strongest: Annotated[int, typer.Option("--strongest", min=1, help="Projection weights that are listed.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Say what a model is and how it was made: size, cost, training, datasets, the largest projection weights."""
    from multitrain.analysis.cost.flops import model_cost
    from multitrain.common.terminal_columns import show
    from multitrain.inference.interpret.model_report import describe_model, lines
    from multitrain.inference.models import load

    network = load(model)
    gflops = model_cost(network.spec.model, network.spec.size).gflops
    about = describe_model(model, network, gflops, strongest, classes)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
        return
    for each in lines(about):
        typer.echo(each) if isinstance(each, str) else show(each)


@app.command()
def confusion(
    run: RunFolder,
    dataset: Datasets = None,
    split: Annotated[Split, typer.Option(help="Split that was evaluated.")] = Split.test,
    projected: Annotated[bool, typer.Option("--projected", help="By Y'_k, with the projections added.")] = False,
    worst: Annotated[int, typer.Option("--worst", min=1, help="Confusions that are listed and shown.")] = 8,
    out: Out = None,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
) -> None:
    """Say which classes a run confuses and how it does on each; draw the matrix and frames of the worst confusions."""
    from multitrain.analysis.single_run.error_report import find_predictions, write_confusion

    for line in write_confusion(
        find_predictions(run, split, dataset, config), out or run / "errors", data, projected, worst
    ):
        typer.echo(line)


@app.command()
def calibration(
    run: RunFolder,
    dataset: Datasets = None,
    split: Annotated[Split, typer.Option(help="Split that was evaluated.")] = Split.test,
    out: Out = None,
    config: ConfigFolder = Path("config"),
) -> None:
    """Say whether the heads' probabilities are right: expected calibration error and a reliability plot."""
    from multitrain.analysis.single_run.error_report import find_predictions, write_calibration

    for line in write_calibration(find_predictions(run, split, dataset, config), out or run / "errors"):
        typer.echo(line)


@app.command()
def explain(
    model: Model,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="A file, or an http(s) address of one.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="The head; needed where there are several.")] = None,
    name: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help=r"Class to explain. \[default: the likeliest]")
    ] = None,
    start: Annotated[
        float | None, typer.Option("--at", metavar="SECONDS", help=r"Where the part begins. \[default: the middle]")
    ] = None,
    method: Annotated[Method, typer.Option(help="occlusion: any backbone; rollout: mvit.")] = Method.occlusion,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where files are written.")] = Path("explanation"),
    batch: Annotated[int, typer.Option(min=1, help="Clips that the network sees at once.")] = 16,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Show which places and moments of a video decided a class, checked by hiding them."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file: name a folder")
    import tempfile

    from multitrain.inference.interpret.explain import MARKED
    from multitrain.inference.interpret.explain import explain as run_explain
    from multitrain.inference.interpret.explanation_files import write_explanation
    from multitrain.inference.video_inputs import local_file

    recogniser = load_recogniser(model, device, threads, batch)
    with tempfile.TemporaryDirectory(prefix="multitrain-") as fetched, local_file(video, fetched) as path:
        its = run_explain(recogniser, path, dataset, name, method.value, start)
    write_explanation(its, shown(Path(video).name), out)
    typer.echo(
        f"{its.title}: {shown(its.name)} {100 * its.probability:.1f} %; with the {MARKED:.0%} hidden that decided most "
        f"{100 * its.hidden:.1f} %, with as much hidden elsewhere {100 * its.elsewhere:.1f} %"
    )
    typer.echo(f"{shown(out / 'explanation.png')}, explanation.mp4, explanation.json")
