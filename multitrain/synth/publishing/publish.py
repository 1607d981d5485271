"""Publish a synthetic dataset: write its archives and annotations as a real publisher ships them."""

import shutil
from collections.abc import Callable
from dataclasses import astuple, fields
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.locks import NAME, locked_folder
from multitrain.config.scale import World
from multitrain.synth.publishing.contents import LOST, Release, plan, render_videos
from multitrain.synth.publishing.layouts import FORMATS
from multitrain.synth.publishing.reproducible_archives import csv_text, dump, write
from multitrain.synth.world import Relation, relations, spec

__all__ = ["publish"]

MARKER = "SYNTHETIC.txt"
NOTICE = "Made by multitrain, no real footage. All of this folder is replaced when the dataset is published again.\n"
SUMMARY = "published.json"


def publish(
    dataset: str,
    world: World,
    folder: Path,
    reader: str,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    wait: bool = False,
) -> None:
    """Write the dataset's archives and annotations, relations.csv, and last of all published.json into `folder`.

    Files of an earlier call are replaced; a folder with other files is an error. `progress` is called with the videos
    done and their total. The folder is locked meanwhile; with `wait`, another process's lock is waited for.
    """
    _check(dataset, world, reader)
    folder = Path(folder)
    with locked_folder(folder, f"the synthetic {dataset} is being published", wait) as lock:
        _clear(folder)

        def report(done: int, total: int) -> None:
            lock.require()
            if progress:
                progress(done, total)

        videos = plan(dataset, world)
        release = Release(
            dataset, spec(dataset, world), world, videos, render_videos(dataset, world, videos, jobs, report)
        )
        FORMATS[reader](folder, release)
        related = (astuple(relation) for relation in relations(world) if relation.source_dataset == dataset)
        write(folder / "relations.csv", csv_text([[field.name for field in fields(Relation)], *related]))
        lock.require()
        write(folder / SUMMARY, dump(_summary(folder, release, reader), 1) + "\n")


def _check(dataset: str, world: World, reader: str) -> None:
    """Raise a UserError for a dataset that cannot be published so."""
    own = spec(dataset, world).reader
    if reader != own:
        raise UserError(f"dataset {dataset} is published for reader {own!r}, not {reader!r}")
    if dataset not in world.videos:
        raise UserError(f"world.videos has no {dataset!r}; there are {', '.join(world.videos)}")
    if world.height % 2 or world.width % 2:
        raise UserError(f"world: {world.width}x{world.height}: width and height must be even, for 4:2:0 video")


def _clear(folder: Path) -> None:
    """Empty the folder but for the marker file, which says that the publisher wrote all of it."""
    if not (folder / MARKER).exists():
        foreign = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if foreign:
            raise UserError(
                f"{folder}: holds {foreign[0]!r}, which the synthetic publisher did not write: "
                "move it away, or name another folder in the dataset's `raw`"
            )
        write(folder / MARKER, NOTICE)
    (folder / SUMMARY).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name == MARKER or (path.name.startswith(".") and not path.name.startswith(".partial-")):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _summary(folder: Path, release: Release, reader: str) -> dict:
    """The content of published.json."""

    def good(split: str) -> int:
        return sum(video.trouble not in LOST for video in release.split(split))

    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (MARKER, NAME))
    return {
        "dataset": release.dataset,
        "reader": reader,
        "seed": release.world.seed,
        "classes": list(release.spec.classes),
        "videos": {split: good(split) for split in ("train", "validation")},
        "wrong_labels": sorted(video.id for video in release.videos if video.shown != video.label),
        "troubles": {video.id: video.trouble for video in release.videos if video.trouble},
        "bytes": {path.relative_to(folder).as_posix(): path.stat().st_size for path in files},
    }
