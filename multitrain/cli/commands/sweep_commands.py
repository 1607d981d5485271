"""The sweep: when does joint training help? Exploratory; factors and values are in config/sweep.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.loading import computing_scale, exit_when_preempted
from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    Device,
    Jobs,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    Seed,
    Threads,
    Workers,
)
from multitrain.common import terminal_columns
from multitrain.common.progress import progress_callback
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Scale
from multitrain.planning.overwrite import require_same_scale
from multitrain.planning.sweep_points import BASE, Points, load_points

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True)
PointName = Annotated[str, typer.Argument(metavar="POINT", help="A point, as `sweep cost` lists them, e.g. clips_8.")]


def _points(scale: Scale, config: Path) -> Points:
    return load_points(scale, load_experiments(config, scale), config)


@app.command()
def cost(
    scale: ScaleName = "desk",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    published: PublishedFolder = Path("resources/published"),
    measured: Annotated[bool, typer.Option("--measure", help="Measure steps on this machine: a minute.")] = False,
    device: Device = "auto",
) -> None:
    """Print every point with its trainings and estimated core-hours."""
    from multitrain.analysis.cost.sweep_cost import cost_sum, cost_table, costs
    from multitrain.planning.measure import measure

    loaded = load_scale(scale, config)
    points = _points(loaded, config)
    base = points.point(BASE)
    pace = None
    if measured:
        from multitrain.engine.processes.device import select_device

        chosen = select_device(device, 1, portable=base.scale.machine.portable)
        pace = measure(base.scale, base.experiments.run("multitrain"), chosen)
    estimates = costs(points, data, published, loaded, pace)
    terminal_columns.show(cost_table(points, estimates))
    typer.echo(cost_sum(estimates))


@app.command()
def data(
    name: PointName,
    dataset: DatasetName,
    scale: ScaleName = "desk",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    jobs: Jobs = 1,
) -> None:
    """Publish and prepare a dataset of a point's world."""
    loaded = computing_scale(scale, config)
    point = _points(loaded, config).point(name)
    from multitrain.datasets.prepare import prepare
    from multitrain.synth.publishing.publish import publish

    settings, raw, world = point.scale.dataset(dataset), point.scale.raw_folder(dataset, data), point.scale.made_world
    publish(dataset, world, raw, settings.reader, jobs, progress_callback(f"synth {dataset}"), wait=True)
    folder = point.scale.clips_folder(dataset, data)
    prepare(dataset, settings, raw, folder, jobs=jobs, progress=progress_callback(f"prepare {dataset}"), wait=True)


@app.command()
def run(
    name: PointName,
    scale: ScaleName = "desk",
    seed: Seed = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Train and evaluate all runs of a point with one seed: sweep/POINT/seedSEED.parquet. Resumes if interrupted."""
    loaded = computing_scale(scale, config)
    point = _points(loaded, config).point(name)
    from multitrain.engine.processes.device import select_device
    from multitrain.planning.sweep_training import run_point

    chosen = select_device(device, threads, portable=loaded.machine.portable)
    with exit_when_preempted():
        run_point(point, seed, data, results / "sweep", chosen, workers)


@app.command()
def show(
    scale: ScaleName = "desk",
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
    partial: Annotated[
        bool, typer.Option("--partial", help="Of the points that are there; it says which are not.")
    ] = False,
) -> None:
    """Write when_it_helps.csv, .md and .png: gains over the baseline at equal steps for each factor."""
    from multitrain.analysis.figures import save_figure
    from multitrain.analysis.figures.comparisons import when_it_helps
    from multitrain.analysis.study.sweep_gains import left, write_sweep

    loaded = load_scale(scale, config)
    require_same_scale([results / "when_it_helps.csv"], loaded.name, results)
    points = _points(loaded, config)
    without = left(points, results) if partial else []
    write_sweep(loaded, points, results, without)
    save_figure(when_it_helps.draw(results, without), results / "when_it_helps.png", loaded.smoke_test)
