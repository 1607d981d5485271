"""Commands of the workflow's stages: synth, prepare, train, evaluate, temporal."""

from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.loading import computing_scale, exit_when_preempted, load_job
from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    Device,
    Jobs,
    ResultsFolder,
    RunName,
    ScaleName,
    Seed,
    Split,
    Threads,
    Wait,
    Workers,
    WorldNumber,
)
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import regular
from multitrain.common.progress import progress_callback
from multitrain.config.scale import Scale

__all__ = ["app"]

app = typer.Typer()


@app.command()
def synth(
    dataset: DatasetName,
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    jobs: Jobs = 1,
    wait: Wait = False,
) -> None:
    """Write a synthetic dataset in its publisher's format: archives, annotations, list of related classes."""
    loaded = _with_own_clips(computing_scale(scale, config))
    from multitrain.synth.publishing.publish import publish

    reader = loaded.dataset(dataset).reader
    if loaded.world is None:
        raise UserError(f"scale {loaded.name} has no synthetic world: its raw files come from the publishers")
    raw = loaded.raw_folder(dataset, data, world)
    publish(dataset, loaded.world.number(world), raw, reader, jobs, progress_callback(f"synth {dataset}"), wait)


@app.command()
def prepare(
    dataset: DatasetName,
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    jobs: Jobs = 1,
    wait: Wait = False,
) -> None:
    """Cut and transcode a publisher's videos into clips; write manifest.parquet and missing.csv."""
    loaded = _with_own_clips(computing_scale(scale, config))
    from multitrain.datasets.prepare import prepare as run_prepare
    from multitrain.datasets.required_splits import require_prepared

    settings, folder = loaded.dataset(dataset), loaded.clips_folder(dataset, data, world)
    raw = loaded.raw_folder(dataset, data, world)
    manifest = run_prepare(
        dataset, settings, raw, folder, jobs=jobs, progress=progress_callback(f"prepare {dataset}"), wait=wait
    )
    require_prepared(raw, manifest)


def _with_own_clips(scale: Scale) -> Scale:
    """The scale, or a UserError where its clips are another scale's, whose settings make them."""
    if scale.clips_of:
        raise UserError(
            f"{scale.name}: takes the clips of scale {scale.clips_of}: make them with --scale {scale.clips_of}"
        )
    return scale


@app.command()
def train(
    run: RunName,
    scale: ScaleName = "mini",
    seed: Seed = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = "auto",
    checkpoint_seconds: Annotated[
        float | None, typer.Option(min=0, help="Seconds between two resume points. \\[default: 60; 600 with gpus]")
    ] = None,
    keep_leaks: Annotated[bool, typer.Option("--keep-leaks", help="Train on videos of other test sets too.")] = False,
    pretrained: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN=FILE", help="Model file or release's .pyth whose backbone stands in for RUN's."),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")] = False,
    wait: Wait = False,
) -> None:
    """Train a run. After an interruption it resumes, with the same final weights."""
    files = pretrained_files(pretrained or [])
    job = load_job(run, scale, config, seed, data, results, exclude_leaks=not keep_leaks, pretrained=files)
    from multitrain.engine.processes.device import select_device
    from multitrain.engine.train import train as run_train

    chosen = select_device(device, threads, own=True, portable=job.scale.machine.portable)
    with exit_when_preempted():
        run_train(job, chosen, workers, checkpoint_seconds, tensorboard, wait)


@app.command()
def evaluate(
    run: RunName,
    dataset: DatasetName,
    scale: ScaleName = "mini",
    seed: Seed = 0,
    split: Annotated[Split, typer.Option(help="Tables score test; choices are made on val.")] = Split.test,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Score every clip of a split with a trained run, write predictions/DATASET.parquet, and print the accuracy."""
    job = load_job(run, scale, config, seed, data, results)
    from multitrain.analysis.accuracy.run_accuracy import accuracy_lines
    from multitrain.common.records.predictions import predictions_path
    from multitrain.engine.evaluate import evaluate as run_evaluate
    from multitrain.engine.processes.device import select_device

    chosen = select_device(device, threads, portable=job.scale.machine.portable)
    out = predictions_path(job.folder, dataset, split.value)
    run_evaluate(job, dataset, split.value, out, chosen, workers)
    for line in accuracy_lines(out, job.scale.dataset(dataset).title):
        typer.echo(line)


@app.command()
def temporal(
    run: RunName,
    dataset: DatasetName,
    clips: Annotated[
        list[str] | None,
        typer.Option(metavar="OTHER", help="Score whole clips of this dataset by the head of DATASET; repeatable."),
    ] = None,
    scale: ScaleName = "mini",
    seed: Seed = 0,
    split: Annotated[Split, typer.Option(help="Choices are made on val; test is for finished studies.")] = Split.val,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Score clips whole, static (one frame), shuffled and reversed, and print their top-1 beside chance.

    The scores are written to the run's folder: temporal_SPLIT/DATASET.parquet, or DATASET_on/OTHER.parquet.
    """
    job = load_job(run, scale, config, seed, data, results)
    from multitrain.analysis.accuracy.temporal_accuracy import summary
    from multitrain.engine.processes.device import select_device
    from multitrain.inference.interpret.temporal_probe import ORDERS, write_temporal

    chosen = select_device(device, threads, portable=job.scale.machine.portable)
    home = job.folder / f"temporal_{split.value}"
    for other in dict.fromkeys(clips or [dataset]):
        own = other == dataset
        out = home / f"{dataset}.parquet" if own else home / f"{dataset}_on" / f"{other}.parquet"
        orders = ORDERS if own else ORDERS[:1]
        write_temporal(job, other, split.value, out, chosen, workers, dataset, orders)
        for line in summary(job.scale, job.seed, job.data, out, dataset, None if own else other, orders):
            typer.echo(line)


def pretrained_files(values: list[str]) -> dict[str, Path]:
    """{run: file} from values RUN=FILE of the command line.

    Raises:
        UserError: another form, a run named twice, or no such file.
    """
    files: dict[str, Path] = {}
    for value in values:
        run, _, file = value.partition("=")
        if not run or not file:
            raise UserError(f"--pretrained {value}: give RUN=FILE, e.g. k400_baseline=k400.pyth")
        if run in files:
            raise UserError(f"--pretrained {value}: {run} has {files[run]} already: give one file a run")
        files[run] = Path(file)
        if not regular(files[run]).is_file():
            raise UserError(f"--pretrained {value}: no such file")
    return files
