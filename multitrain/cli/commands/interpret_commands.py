"""Commands that look inside: what a model is, what decided an answer, which classes are confused."""

import json
from typing import Annotated

import typer

from multitrain.cli.options import Model

__all__ = ["app"]

app = typer.Typer()


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
