"""`multitrain temporal` and `multitrain card`: what a synthetic world is, and what its clips teach."""

from pathlib import Path
from typing import Annotated

import typer

from multitrain.configfile import load_experiments, load_scale
from multitrain.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    Device,
    ResultsFolder,
    RunName,
    ScaleName,
    Seed,
    Seeds,
    Split,
    Threads,
    Workers,
)
from multitrain.overwrite import require_own

app = typer.Typer()


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
    """Score clips whole, static (one frame), shuffled and reversed, and print top-1 of each beside a guess.

    The scores are kept in the run's folder: temporal_SPLIT/DATASET.parquet, or DATASET_on/OTHER.parquet.
    """
    from multitrain.cli import _job, _torch_device  # the same as of the commands of a run

    job = _job(run, scale, config, seed, data, results)
    chosen = _torch_device(device, threads, portable=job.scale.machine.portable)
    from multitrain.use.temporal import ORDERS, write_temporal

    home = job.folder / f"temporal_{split.value}"
    for other in dict.fromkeys(clips or [dataset]):
        own = other == dataset
        out = home / f"{dataset}.parquet" if own else home / f"{dataset}_on" / f"{other}.parquet"
        orders = ORDERS if own else ORDERS[:1]
        write_temporal(job, other, split.value, out, chosen, workers, dataset, orders)
        for line in _answers(job, dataset, None if own else other, out, orders):
            typer.echo(line)


@app.command()
def card(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    split: Annotated[Split, typer.Option(help="Whose clips are shown and scored; as in `temporal`.")] = Split.val,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Write the card of a scale's synthetic world: world_card.html, a page with pictures, and world_card.csv."""
    from multitrain.analysis.world_card import write_card

    loaded = load_scale(scale, config)
    require_own([results / "world_card.csv"], loaded.name, results)
    write_card(loaded, load_experiments(config, loaded), tuple(seed or (0,)), data, results, split.value)


def _answers(job, dataset: str, other: str | None, out: Path, orders: tuple[str, ...]) -> list[str]:
    """A line an order of the frames; of another dataset's clips one line, of the related classes."""
    from multitrain.analysis.relations import read_relations
    from multitrain.analysis.temporal import accuracy, read_temporal, related_accuracy

    scored = read_temporal(out)
    if other is None:
        return [_line(order, accuracy([scored], order)) for order in orders]
    paths = tuple(job.scale.raw_folder(name, job.data, job.world) / "relations.csv" for name in (dataset, other))
    classes = {dataset: scored.classes, other: scored.clip_classes}
    related = read_relations(paths if other in job.scale.related_datasets() else (), classes)
    found = related_accuracy([scored], related.matrix(dataset, other, classes))
    if found is None:
        return [f"{other}: fewer than two classes of {dataset} are related to any of its classes: nothing to tell"]
    return [_line(f"{other} by {found.classes} related classes of {dataset}", found)]


def _line(what: str, found) -> str:
    low, high = found.estimate.interval
    return (
        f"{what:9} {100 * found.estimate.value:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        f"  guess {100 * found.guess:.1f}, {found.clips} clips"
    )
