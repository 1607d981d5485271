"""Progress of a scale's runs, an estimate of their time and memory, and the cost of the models."""

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multitrain.cli.loading import video_counts
from multitrain.cli.options import (
    AsJson,
    ConfigFolder,
    DataFolder,
    Device,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    Seeds,
)
from multitrain.common.errors import UserError
from multitrain.common.terminal_columns import columns, show
from multitrain.config.config_files import load_settings
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

if TYPE_CHECKING:
    import torch

    from multitrain.planning.measure import Pace

__all__ = ["app"]

app = typer.Typer()
Measured = Annotated[
    bool | None,
    typer.Option(
        "--measure/--assume",
        help="Time a few videos and steps here, or go by the speeds above. \\[default: measure a synthetic scale"
        " without accelerators, where no speed is given]",
    ),
]


@app.command()
def status(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
    as_json: AsJson = False,
    watch: Annotated[float | None, typer.Option(min=1, metavar="SECONDS", help="Print it again every SECONDS.")] = None,
) -> None:
    """Show the progress of every run: waiting, running, stopped, preempted, failed or finished."""
    loaded, experiments = load_settings(scale, config)
    if not results.is_dir():
        typer.echo(f"note: {results}: no such folder: every run is shown as waiting", err=True)
    try:
        while True:
            _show_status(loaded, experiments, seed, results, as_json, clear=watch is not None)
            if watch is None:
                return
            time.sleep(watch)
    except KeyboardInterrupt:  # Ctrl-C ends --watch
        return


def _show_status(
    scale: Scale, experiments: Experiments, seed: list[int] | None, results: Path, as_json: bool, clear: bool
) -> None:
    """Print the status once. Without a seed, it shows the seeds that any run has a folder for."""
    from rich.console import Console

    from multitrain.analysis.study.run_progress import run_statuses, seeds_on_disk
    from multitrain.analysis.study.run_progress_table import plain, render

    statuses = run_statuses(scale, experiments, seed or seeds_on_disk(scale, results) or (0,), results)
    if as_json:
        typer.echo(json.dumps(plain(statuses), indent=2))
        return
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # a file has one line a run
    if clear and console.is_terminal:
        console.clear()
    render(statuses, scale, console)


@app.command()
def estimate(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    published: PublishedFolder = Path("resources/published"),
    run: Annotated[list[str] | None, typer.Option("--run", help="Only these runs.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each run, for the totals.")] = 1,
    tflops: Annotated[
        float | None, typer.Option(help="Sustained TFLOP/s of a process, two operations a multiply-accumulate.")
    ] = None,
    clips_per_core: Annotated[
        float | None, typer.Option(help="Clips of 32 frames of 320 pixels that a core decodes in a second.")
    ] = None,
    measured: Measured = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Estimate the cost of each run: operations, hours, memory, disk, and decoding cores.

    docs/reference/estimate.md has the formulas. With measured steps it also prints the time of one seed and of
    all seeds on this machine.
    """
    loaded, experiments = load_settings(scale, config)
    for name in run or ():
        experiments.run(name)
    given = _speeds(tflops=tflops, clips_per_core=clips_per_core)
    from multitrain.analysis.cost import estimate_page as page
    from multitrain.analysis.cost.estimate import default_speed, machine_time
    from multitrain.analysis.cost.estimate import estimate as estimate_runs

    measuring = _measuring_device(measured, loaded, bool(given), device)
    speed = replace(default_speed(loaded), **given)
    videos = video_counts(loaded, data, published)
    estimates = [each for each in estimate_runs(loaded, experiments, videos, speed) if not run or each.run in run]
    pace = _pace(loaded, experiments, measuring) if measuring else None
    clock = machine_time(loaded, experiments, estimates, videos, pace) if pace else None
    if as_json:
        content = page.as_plain_values(loaded, estimates, videos, speed, seeds)
        if pace is not None and clock is not None:
            content |= {"measured": asdict(pace), "seconds_of_a_seed": asdict(clock)}
        typer.echo(json.dumps(content, indent=2))
        return
    typer.echo(page.assumptions(loaded, videos, speed))
    show(page.table(estimates))
    typer.echo(page.totals(loaded, estimates, seeds))
    if pace is not None and clock is not None:
        typer.echo(page.wall_clock(loaded, pace, clock, seeds))


def _speeds(**values: float | None) -> dict[str, float]:
    """The given speeds; a UserError for one that is not positive and finite."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if not 0 < value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} {value:g}: give a number above 0")
    return given


def _measuring_device(wanted: bool | None, scale: Scale, speeds_given: bool, device: str) -> "torch.device | None":
    """The device whose steps are timed, or None: as `wanted`, or by default of a CPU scale without given speeds."""
    usual = scale.world is not None and not scale.machine.gpus and scale.machine.processes == 1 and not speeds_given
    if not (usual if wanted is None else wanted):
        return None
    from multitrain.engine.processes.device import select_device

    chosen = select_device(device, 1, portable=scale.machine.portable)
    if scale.world is None or (scale.machine.gpus and chosen.type == "cpu"):
        raise UserError(f"--measure: scale {scale.name} has accelerators or real videos: give --tflops, or --assume")
    return chosen


def _pace(scale: Scale, experiments: Experiments, device: "torch.device") -> "Pace":
    """The pace of this machine, measured on the run with the most datasets."""
    from multitrain.planning.measure import measure

    return measure(scale, max(experiments.runs.values(), key=lambda each: len(each.datasets)), device)


@app.command()
def flops(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    as_json: AsJson = False,
) -> None:
    """Print the cost (in the paper's convention) and the parameters of each model of a scale."""
    loaded, experiments = load_settings(scale, config)
    from multitrain.analysis.cost.flops import costs

    models = costs(loaded, experiments)
    if as_json:
        typer.echo(json.dumps(models, indent=2))
        return
    head = ("size", "pixels", "frames", "GFLOPs", "backbone parameters")
    rows = [
        (
            f"{model['size']} {model.get('backbone', '')}".strip(),
            str(model["pixels"]),
            str(model["frames"]),
            f"{model['gflops']:.4g}",
            f"{model['backbone_parameters']:,}",
        )
        for model in models
    ]
    show(columns(head, rows))
