"""`multitrain COMMAND`: thin, one function a command. The workflow's rules call these, and so can people."""

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from multitrain import (
    cli_data,
    cli_demo,
    cli_estimate,
    cli_finetune,
    cli_packed,
    cli_predict,
    cli_results,
    cli_runs,
    cli_sweep,
    cli_use,
    cli_world,
    portable,
)
from multitrain.config import Scale
from multitrain.configfile import load_experiments, load_scale
from multitrain.errors import UserError
from multitrain.names import one_line
from multitrain.options import (
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
from multitrain.progress import outlive_readers, progress

TERMINATED = 128 + signal.SIGTERM

app = typer.Typer(
    help="Multi-dataset training of video transformers: data, training, evaluation and tables, one command a stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cli_runs.checkpoints, name="checkpoint")
app.add_typer(cli_runs.app)
app.add_typer(cli_results.app)
app.add_typer(cli_packed.app, name="results")
app.add_typer(cli_use.app)
app.add_typer(cli_world.app)
app.command()(cli_estimate.estimate)
app.command()(cli_predict.predict)
app.command()(cli_demo.demo)
app.command()(cli_finetune.finetune)
app.add_typer(cli_data.app, name="data")
app.add_typer(cli_sweep.app, name="sweep")


def _print_version(wanted: bool) -> None:
    if wanted:
        from multitrain.version import version

        typer.echo(f"multitrain {version()}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print version and commit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What is asked of no command in particular; the help of all is `app`'s."""


def _bar(what: str):
    """Progress as a callback (done, total)."""
    bar = None

    def update(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or progress(what, "video", total)  # not before there is progress: an error comes alone
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return update


def _torch_device(name: str, threads: int, own: bool = False, portable: bool = False):
    """The device of that name; where `own`, each of several processes on a node has an accelerator to itself.

    Where `portable`, one thread whatever was asked for, and no accelerator unless it is named.
    """
    import torch  # heavy: only for the commands that compute

    from multitrain.engine.heap import keep_freed

    torch.set_num_threads(1 if portable else threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() and not portable else "cpu"
    if name == "cuda" and own and torch.cuda.is_available():
        from multitrain.engine.distributed import claim_accelerator

        claim_accelerator()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = "no such kind" if "device type" in str(error) else str(error).splitlines()[0]
        raise UserError(f"--device {name}: not usable here ({reason}): choose cpu, cuda or auto") from None
    if device.type == "cpu":
        keep_freed()
    return device


def _computing(scale: str, config: Path) -> Scale:
    """The scale of a command that computes, with the kernels that it asks for: before torch and numpy are loaded."""
    loaded = load_scale(scale, config)
    portable.use(loaded.machine, lambda line: typer.echo(line, err=True))
    return loaded


def _job(run: str, scale: str, config: Path, seed: int, data: Path, results: Path, **how: Any):
    loaded = _computing(scale, config)
    from multitrain.engine.setup import Job

    job = Job(loaded, load_experiments(config, loaded), run, seed, data, results, **how)
    init = job.run.init  # an unknown run is an error before anything is loaded
    if unused := [name for name in job.pretrained if name != init]:
        starts = f"from {init}" if init else "from random weights"
        raise UserError(f"--pretrained {unused[0]}: run {run} starts {starts}: leave it out or name that run")
    return job


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
    """Publish a synthetic dataset in its publisher's own format: archives, annotations, list of related classes."""
    loaded = _computing(scale, config)
    from multitrain.synth.publish import publish

    reader = loaded.dataset(dataset).reader
    if loaded.world is None:
        raise UserError(f"scale {loaded.name} has no synthetic world: its raw files come from the publishers")
    raw = loaded.raw_folder(dataset, data, world)
    publish(dataset, loaded.world.number(world), raw, reader, jobs, _bar(f"synth {dataset}"), wait)


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
    """Turn a publisher's files into clips laid out for decoding, manifest.parquet and missing.csv."""
    loaded = _computing(scale, config)
    from multitrain.sources.prepare import prepare as run_prepare
    from multitrain.sources.roles import require_prepared

    settings, folder = loaded.dataset(dataset), loaded.clips_folder(dataset, data, world)
    raw = loaded.raw_folder(dataset, data, world)
    manifest = run_prepare(dataset, settings, raw, folder, jobs=jobs, progress=_bar(f"prepare {dataset}"), wait=wait)
    require_prepared(raw, manifest)


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
    """Train a run to its end; started again after a kill, it continues to the very same weights."""
    files = cli_runs.pretrained_files(pretrained or [])
    job = _job(run, scale, config, seed, data, results, exclude_leaks=not keep_leaks, pretrained=files)
    chosen = _torch_device(device, threads, own=True, portable=job.scale.machine.portable)
    from multitrain.engine.preemption import Preempted
    from multitrain.engine.train import train as run_train

    try:
        run_train(job, chosen, workers, checkpoint_seconds, tensorboard, wait)
    except Preempted as stopped:
        typer.echo(str(stopped), err=True)
        raise typer.Exit(stopped.status) from None


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
    """Score every clip of a split with a trained run and keep the scores: predictions/DATASET.parquet."""
    job = _job(run, scale, config, seed, data, results)
    chosen = _torch_device(device, threads, portable=job.scale.machine.portable)
    from multitrain.engine.evaluate import evaluate as run_evaluate

    folder = job.folder / ("predictions" if split is Split.test else f"predictions_{split.value}")
    run_evaluate(job, dataset, split.value, folder / f"{dataset}.parquet", chosen, workers)


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


def run(arguments: list[str] | None = None) -> Any:
    """Entry point: a UserError, or what the system refuses, is one line on standard error and exit status 1."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # so that temporary files go
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be of bytes that are no text
    outlive_readers()
    try:
        return app(args=arguments)
    except UserError as error:
        typer.echo(one_line(f"error: {error}"), err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone, as in `multitrain flops | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(one_line(f"error: {where}{error.strerror or error}"), err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
