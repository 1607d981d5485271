"""Commands that look inside: what a model is, what decided an answer, which classes are confused."""

import json
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.options import ConfigFolder, DataFolder, Model, Split

__all__ = ["app"]

app = typer.Typer()

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
    from multitrain.analysis.single_run.error_report import tested, write_confusion

    for line in write_confusion(tested(run, split, dataset, config), out or run / "errors", data, projected, worst):
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
    from multitrain.analysis.single_run.error_report import tested, write_calibration

    for line in write_calibration(tested(run, split, dataset, config), out or run / "errors"):
        typer.echo(line)
