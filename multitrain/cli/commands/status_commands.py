"""How far the runs of a scale are, what they will take before any is started, and what its models cost."""

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multitrain.cli.options import ConfigFolder, DataFolder, PublishedFolder, ResultsFolder, ScaleName, Seeds
from multitrain.common.errors import UserError
from multitrain.common.terminal_columns import columns, show
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

if TYPE_CHECKING:
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    watch: Annotated[float | None, typer.Option(min=1, metavar="SECONDS", help="Print it anew so often.")] = None,
) -> None:
    """Show how far every run is: waiting, running, stopped, preempted, failed or finished."""
    loaded = load_scale(scale, config)
    experiments = load_experiments(config, loaded)
    if not results.is_dir():
        typer.echo(f"note: {results}: no such folder: every run is shown as waiting", err=True)
    try:
        while True:
            _show_status(loaded, experiments, seed, results, as_json, clear=watch is not None)
            if watch is None:
                return
            time.sleep(watch)
    except KeyboardInterrupt:  # how a watch ends
        return


def _show_status(
    scale: Scale, experiments: Experiments, seed: list[int] | None, results: Path, as_json: bool, clear: bool
) -> None:
    """Without a seed, those that any run has a folder for."""
    from rich.console import Console

    from multitrain.analysis.study.run_progress import run_statuses, seeds_on_disk
    from multitrain.analysis.study.run_progress_table import plain, render

    found = run_statuses(scale, experiments, seed or seeds_on_disk(scale, results) or (0,), results)
    if as_json:
        typer.echo(json.dumps(plain(found), indent=2))
        return
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # a file has one line a run
    if clear and console.is_terminal:
        console.clear()
    render(found, scale, console)


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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print what each run will take: operations, hours, memory, disk, and cores that decode.

    docs/reference/estimate.md has the formulas. Where it is measured, also the time of one seed and of all on this
    machine.
    """
    loaded = load_scale(scale, config)
    experiments = load_experiments(config, loaded)
    for name in run or ():
        experiments.run(name)
    given = _speeds(tflops=tflops, clips_per_core=clips_per_core)
    from multitrain.analysis.cost import estimate_page as page
    from multitrain.analysis.cost.estimate import counts, default_speed, machine_time
    from multitrain.analysis.cost.estimate import estimate as of_runs

    measured = _measures(measured, loaded, bool(given))
    speed = replace(default_speed(loaded), **given)
    videos = counts(loaded, data, published)
    found = [each for each in of_runs(loaded, experiments, videos, speed) if not run or each.run in run]
    pace = _pace(loaded, experiments) if measured else None
    clock = machine_time(loaded, experiments, found, videos, pace) if pace else None
    if as_json:
        content = page.content(loaded, found, videos, speed, seeds)
        if pace is not None and clock is not None:
            content |= {"measured": asdict(pace), "seconds_of_a_seed": asdict(clock)}
        typer.echo(json.dumps(content, indent=2))
        return
    typer.echo(page.before(loaded, videos, speed))
    show(page.table(found))
    typer.echo(page.after(loaded, found, seeds))
    if pace is not None and clock is not None:
        typer.echo(page.by_the_clock(loaded, pace, clock, seeds))


def _speeds(**values: float | None) -> dict[str, float]:
    """The speeds that were given."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if not 0 < value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} {value:g}: give a number above 0")
    return given


def _measures(wanted: bool | None, scale: Scale, speeds_given: bool) -> bool:
    """Whether to time steps here: as wanted, or on a synthetic scale without accelerators where no speed is given."""
    possible = scale.world is not None and not scale.machine.gpus
    if wanted and not possible:
        raise UserError(f"--measure: scale {scale.name} has accelerators or real videos: give --tflops, or --assume")
    return possible and scale.machine.processes == 1 and not speeds_given if wanted is None else wanted


def _pace(scale: Scale, experiments: Experiments) -> "Pace":
    """The pace of this machine, measured on the run of the most datasets."""
    from multitrain.planning.measure import measure

    return measure(scale, max(experiments.runs.values(), key=lambda each: len(each.datasets)))


@app.command()
def flops(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print the cost (in the paper's convention) and the parameters of each model of a scale."""
    loaded = load_scale(scale, config)
    from multitrain.analysis.cost.flops import costs

    found = costs(loaded)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    head = ("size", "pixels", "frames", "GFLOPs", "backbone parameters")
    rows = [
        (
            each["size"],
            str(each["pixels"]),
            str(each["frames"]),
            f"{each['gflops']:.4g}",
            f"{each['backbone_parameters']:,}",
        )
        for each in found
    ]
    show(columns(head, rows))
