"""How far the runs of a scale are, what they will take before any is started, and what its models cost."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multitrain.cli.options import ConfigFolder, DataFolder, PublishedFolder, ResultsFolder, ScaleName, Seeds
from multitrain.config import Scale
from multitrain.configfile import load_experiments, load_scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments

if TYPE_CHECKING:
    from multitrain.analysis.estimate import Counts, Estimate, Speed, Time
    from multitrain.measure import Pace

app = typer.Typer()
HEAD = (
    *("run", "size", "GFLOPs", "videos", "steps", "Mclips", "passes", "train h", "days", "test h"),
    *("GiB", "resume GB", "model GB", "clips/s", "cores"),
)


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

    from multitrain.analysis.status import run_statuses, seeds_on_disk
    from multitrain.analysis.status_table import plain, render

    found = run_statuses(scale, experiments, seed or seeds_on_disk(scale, results) or (0,), results)
    if as_json:
        typer.echo(json.dumps(plain(found), indent=2))
        return
    console = Console(highlight=False)
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
    measured: Annotated[
        bool | None,
        typer.Option(
            "--measure/--assume",
            help="Time a few videos and steps here, or go by the speeds above. \\[default: measure a synthetic scale"
            " without accelerators, where no speed is given]",
        ),
    ] = None,
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
    given = {"tflops": tflops, "clips_per_core": clips_per_core}
    for name, value in given.items():
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} {value:g}: give a number above 0")
    made = loaded.world is not None and not loaded.machine.gpus
    if measured and not made:
        raise UserError(f"--measure: scale {loaded.name} has accelerators or real videos: give --tflops, or --assume")
    if measured is None:
        measured = made and loaded.machine.processes == 1 and tflops is None and clips_per_core is None
    from multitrain.analysis.estimate import counts, default_speed, machine_time
    from multitrain.analysis.estimate import estimate as of_runs

    speed = replace(default_speed(loaded), **{name: value for name, value in given.items() if value is not None})
    videos = counts(loaded, data, published)
    found = [each for each in of_runs(loaded, experiments, videos, speed) if not run or each.run in run]
    clock = None
    if measured:
        from multitrain.measure import measure

        widest = max(experiments.runs.values(), key=lambda each: len(each.datasets))
        pace = measure(loaded, widest)
        clock = machine_time(loaded, experiments, found, videos, pace)
    if as_json:
        parts = {"speed": asdict(speed), "datasets": {name: asdict(count) for name, count in videos.items()}}
        totals = _totals(loaded, found, seeds)
        content = {"scale": loaded.name, **parts, "runs": [asdict(each) for each in found], "totals": totals}
        content |= {} if clock is None else {"measured": asdict(pace), "seconds_of_a_seed": asdict(clock)}
        typer.echo(json.dumps(content, indent=2))
        return
    for line in _page(loaded, found, videos, speed, seeds):
        typer.echo(line)
    if clock is not None:
        for line in _measured_page(loaded, pace, clock, seeds):
            typer.echo(line)


def _measured_page(scale: Scale, pace: "Pace", time: "Time", seeds: int) -> list[str]:
    """The time by the clock, where it was measured."""
    worlds = len(scale.worlds(range(seeds)))
    sizes = "; ".join(
        f"{size} {1 / pace.train[size]:.3g} clips/s trained, {1 / pace.test[size]:.3g} tested" for size in pace.train
    )
    return [
        "",
        f"Measured here in {pace.measuring:.0f} s, {pace.cores} processes side by side, of each: {sizes}; "
        f"{1 / pace.video:.3g} videos/s rendered and prepared; a process starts in {pace.start:.1f} s.",
        f"One seed on these {pace.cores} cores: {time.seed / 60:.0f} minutes (trainings {time.train / 60:.0f}, tests "
        f"{time.test / 60:.0f}, {time.processes} processes' starts {time.start / 60:.0f}), and {time.world / 60:.0f} "
        f"before it for its world's videos.",
        f"All {seeds} seeds: {time.all(seeds, worlds) / 3600:.1f} hours, with {worlds} world{'s' * (worlds > 1)}.",
    ]


def _totals(scale: Scale, found: "list[Estimate]", seeds: int) -> dict[str, float]:
    """Sums over all runs and seeds; days are those of the scale's machine with one job after the other."""
    train, test = (seeds * sum(getattr(each, f"{what}_hours") for each in found) for what in ("train", "test"))
    return {
        "train_hours": train,
        "test_hours": test,
        "days": (train + test) / 24 / scale.machine.processes,
        "models_gb": seeds * sum(each.model_gb for each in found),
        "resume_gb": max((each.resume_gb for each in found), default=0.0),
    }


def _page(scale: Scale, found: "list[Estimate]", videos: "dict[str, Counts]", speed: "Speed", seeds: int) -> list[str]:
    machine, totals = scale.machine, _totals(scale, found, seeds)
    process = "accelerator" if machine.gpus else "process on processors"
    rows = [HEAD, *map(_row, found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    known = ", ".join(f"{name} {count.train:,} + {count.test:,} ({count.source})" for name, count in videos.items())
    return [
        f"Scale {scale.name}: {machine.processes} x {process}, {machine.precision}, {machine.workers} workers each; "
        f"{speed.tflops:g} TFLOP/s and {speed.clips_per_core:g} clips/s a core assumed (docs/reference/estimate.md).",
        f"Videos to train and to test on: {known}.",
        "",
        *lines,
        "",
        f"In all, {seeds} seed{'s' if seeds > 1 else ''}: {totals['train_hours']:,.4g} h of training and "
        f"{totals['test_hours']:,.4g} h of tests of one {process}; {totals['days']:,.3g} days on the whole machine, "
        f"one job after the other; {totals['models_gb']:.3g} GB of models and {totals['resume_gb']:.3g} GB of resume "
        "points of a training.",
    ]


def _row(each: "Estimate") -> tuple[str, ...]:
    return (
        *(each.run, each.size, f"{each.gflops:.4g}", f"{each.videos:,}", f"{each.steps:,}", f"{each.clips / 1e6:.4g}"),
        *(str(each.passes), f"{each.train_hours:,.4g}", f"{each.days:.3g}", f"{each.test_hours:,.3g}"),
        *(f"{each.memory_gib:.3g}", f"{each.resume_gb:.3g}", f"{each.model_gb:.3g}"),
        *(f"{each.clips_per_second:.3g}", f"{each.cores:.2g}"),
    )


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Names to the left, numbers to the right."""
    sized = enumerate(zip(row, widths, strict=True))
    return [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in sized]


@app.command()
def flops(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print the cost (in the paper's convention) and the parameters of each model of a scale."""
    loaded = load_scale(scale, config)
    from multitrain.analysis.flops import costs

    found = costs(loaded)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"{'size':6} {'pixels':>6} {'frames':>6} {'GFLOPs':>10} {'backbone parameters':>20}")
    for cost in found:
        typer.echo(
            f"{cost['size']:6} {cost['pixels']:6} {cost['frames']:6} {cost['gflops']:10.4g} "
            f"{cost['backbone_parameters']:20,}"
        )
