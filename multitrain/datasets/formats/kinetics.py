"""Kinetics: annotations/{train,val}.csv, and clips already trimmed in {train,val}/*.tar.gz.

Files are read by their header: releases differ in columns, in quoting, in the word for validation. Where a list
`*_path.txt` lies beside the archives, each archive it names must be there, or is fetched where the dataset's settings
say from where. Videos of `replacement_for_corrupted_*` stand for those with the same first 11 characters, the id at
YouTube.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes, regular
from multitrain.config.scale import Dataset, Download
from multitrain.data.manifest import Missing
from multitrain.datasets.annotations import decoded, first_of, headed_rows
from multitrain.datasets.fetch.archives import stem, tar_members
from multitrain.datasets.fetch.download import annotations, archive, listed
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import OURS, Annotated, Batch, Member, Publication, Remote, distinct, safe_id

__all__ = ["read"]

COLUMNS = ("label", "youtube_id", "time_start", "time_end")
NAMES = {"val": ["val", "validate", "validation"], "train": ["train", "training"]}
ID = 11  # characters of an id at YouTube
UNLABELLED = {"test", "testing"}


@reader("kinetics", downloads=True)
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`, where annotations and lists are put first if they are to be fetched."""
    annotations(raw, dataset.download)
    clips: list[Annotated] = []
    missing: list[Missing] = []
    for role, names in NAMES.items():
        files = [f"{name}.csv" for name in names]
        cure = "bring the publisher's annotations folder"
        path = first_of([raw / "annotations", raw], files, "annotation file", cure)
        for clip in _clips(path, role):
            if clip.label:
                clips.append(clip)
            else:
                missing.append(clip.missing("no label", f"{path.name}: the label is empty"))
    clips, duplicates = distinct(clips)
    classes = tuple(sorted({clip.label for clip in clips}))
    batches = tuple(_batches(raw, clips, dataset.download or Download()))
    return Publication(classes, tuple(clips), (*missing, *duplicates), batches, download=dataset.download)


def _clips(path: Path, role: str) -> Iterator[Annotated]:
    for place, row in headed_rows(read_bytes(path), str(path), COLUMNS):
        word = row.get("split") or role
        if word in UNLABELLED:
            continue
        if word not in OURS:
            raise UserError(f"{place}: split {word!r} is none of {', '.join([*OURS, *UNLABELLED])}")
        start, end = (_seconds(row[name], name, place) for name in ("time_start", "time_end"))
        key = f"{row['youtube_id']}_{int(start):06d}_{int(end):06d}"
        yield Annotated(safe_id(key), row["youtube_id"], OURS[word], word, row["label"], start, end, key)


def _seconds(text: str, name: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value < 1e6):
        raise UserError(f"{place}: {name} is {text!r}, which is no time in seconds")
    return value


def _batches(raw: Path, clips: list[Annotated], download: Download) -> Iterator[Batch]:
    replacements: list[tuple[Path, Remote | None]]
    replacements = [(regular(path), None) for path in sorted(raw.glob("replacement_for_corrupted*gz"))]
    if download.replacement:
        remote = archive(download.base_url, download.replacement, raw, "download.replacement")
        others = [(path, None) for path, _ in replacements if path != remote.path]
        replacements = [*others, (remote.path, remote)]
    for path, offered in replacements:
        yield _batch(path.name, path, offered, partial(_replacements, path, clips))
    for role, names in NAMES.items():
        for path, offered in _archives(raw, role, names, download):
            name = f"{path.parent.name}/{path.name}"
            yield _batch(name, path, offered, partial(_members, path))


def _batch(name: str, path: Path, remote: Remote | None, members: Callable[[], Iterator[Member]]) -> Batch:
    """One archive; where it was brought it is read from there, whoever offers it."""
    return Batch(name, members, (path,), None if remote is None or remote.brought() else remote)


def _archives(raw: Path, role: str, names: list[str], download: Download) -> list[tuple[Path, Remote | None]]:
    """The archives of a split, those in its folder or those to be fetched."""
    address = {"train": download.train, "val": download.val}[role]
    if address:
        folder = next((raw / name for name in names if (raw / name).is_dir()), raw / role)
        return [(remote.path, remote) for remote in listed(download, address, folder, f"download.{role}")]
    folder = first_of([raw], names, f"folder of {role} archives", "download the publisher's archives there")
    return [(path, None) for path in _brought(folder)]


def _brought(folder: Path) -> list[Path]:
    """The archives in a folder, all of those that a list beside them names."""
    named = [
        (list_path, line.strip().rsplit("/", 1)[-1])
        for list_path in sorted(folder.glob("*_path.txt"))
        for line in decoded(read_bytes(list_path), str(list_path)).splitlines()
        if line.strip()
    ]
    for list_path, name in named:
        if not regular(folder / name).is_file():
            raise UserError(f"{folder / name}: the archive is in {list_path.name} but not there: download it")
    found = sorted([*folder.glob("*.tar.gz"), *folder.glob("*.tgz"), *folder.glob("*.tar")])
    archives = list(dict.fromkeys(folder / name for _, name in named)) or found
    if not archives:
        raise UserError(f"{folder}: no archive *.tar.gz there: download the publisher's archives")
    return [regular(path) for path in archives]


def _members(path: Path) -> Iterator[Member]:
    with path.open("rb") as stream:
        yield from tar_members(stream, str(path), f"{path.parent.name}/{path.name}", stem)


def _replacements(path: Path, clips: list[Annotated]) -> Iterator[Member]:
    """The members under the key of the clip they replace: the clip of that name, else the only one of that video."""
    keys = {clip.key for clip in clips}
    by_video: dict[str, list[str]] = {}
    for clip in clips:
        by_video.setdefault(clip.key[:ID], []).append(clip.key)
    for member in _members(path):
        same = by_video.get(member.key[:ID], [])
        key = same[0] if member.key not in keys and len(same) == 1 else member.key
        yield replace(member, key=key)
