"""Raw files and prepared clips: progress, counts, and a check that they decode."""

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    Jobs,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    WorldNumber,
    WorldNumbers,
)
from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import write_csv
from multitrain.common.progress import progress
from multitrain.common.terminal_columns import columns, show
from multitrain.config.config_files import load_scale, load_settings, shown_datasets
from multitrain.planning.overwrite import require_same_scale

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True)
SAMPLE = 200
UNITS = ("B", "kB", "MB", "GB", "TB")


@app.command()
def status(scale: ScaleName = "mini", config: ConfigFolder = Path("config"), data: DataFolder = Path("data")) -> None:
    """Show the progress of each dataset: raw files, prepared and annotated clips, missing ones with reasons, disk."""
    from multitrain.datasets.preparation_status import status as dataset_status

    loaded = load_scale(scale, config)
    head = ["dataset", "raw files", "state", "prepared", "annotated", "missing", "raw disk", "clips on disk"]
    rows = []
    worlds = loaded.worlds_on_disk(data)
    for world, (name, settings) in product(worlds, loaded.datasets.items()):
        state = dataset_status(settings, loaded.raw_folder(name, data, world), loaded.clips_folder(name, data, world))
        missing = ", ".join(f"{count} {reason}" for reason, count in state.missing.items())
        annotated = "?" if state.annotated is None else str(state.annotated)
        sizes = [_size(state.raw_bytes), _size(state.prepared_bytes)]
        name = loaded.in_world(name, world)
        rows.append([name, state.raw, state.state, str(state.prepared), annotated, missing or "-", *sizes])
    show(columns(head, rows, left=len(head)))


def _size(count: float) -> str:
    """A number of bytes with its unit, as `1.5 MB`."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


@app.command()
def check(
    dataset: DatasetName,
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    sample: Annotated[int, typer.Option(min=1, help="Clips to decode, drawn by the seed.")] = SAMPLE,
    every: Annotated[bool, typer.Option("--all", help="Decode every clip.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed draws other clips.")] = 0,
    jobs: Jobs = 1,
    out: Annotated[Path | None, typer.Option(help="CSV to write: a line a clip that is wrong.")] = None,
) -> None:
    """Decode prepared clips and compare them with the manifest; exit status 1 if one differs."""
    from multitrain.datasets.integrity import check as check_clips
    from multitrain.datasets.integrity import sampled_rows

    loaded = load_scale(scale, config)
    settings = loaded.dataset(dataset)
    from multitrain.data.manifest import read_manifest

    manifest = read_manifest(loaded.clips_folder(dataset, data, world) / "manifest.parquet")
    rows = sampled_rows(manifest, None if every else sample, seed)
    wrong = []
    with progress(f"check {dataset}", "clip", len(rows)) as bar:
        for clip in check_clips(manifest, rows, jobs, settings.limits):
            if clip.problem:
                wrong.append(clip)
                typer.echo(f"{clip.clip_id}: {clip.path}: {clip.problem}")
            bar.update()
    if out is not None:
        write_csv(out, ("clip_id", "path", "trouble"), ((clip.clip_id, clip.path, clip.problem) for clip in wrong))
    typer.echo(f"{dataset}: {len(rows)} of {len(manifest)} clips decoded, {len(wrong)} wrong")
    if wrong:
        raise UserError(f"{len(wrong)} clips of {dataset} are not as the manifest says: delete them and prepare again")


@app.command()
def account(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    published: PublishedFolder = Path("resources/published"),
    world: WorldNumbers = None,
) -> None:
    """Account for every clip: datasets.csv, datasets.md, and leakage.csv of videos both trained on and tested on."""
    from multitrain.analysis.datasets.accounting import write_accounting

    loaded, experiments = load_settings(scale, config)
    require_same_scale([results / "datasets.csv"], loaded.name, results)
    loaded = shown_datasets(loaded, experiments)
    write_accounting(loaded, experiments, data, results, published, tuple(world or (0,)))
