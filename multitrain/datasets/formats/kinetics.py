"""Kinetics: annotations/{train,val}.csv, and clips already trimmed in {train,val}/*.tar.gz.

Files are read by their header: releases differ in columns, in quoting, in the word for validation. Each archive
that a list `*_path.txt` beside the archives names must be there, or is downloaded with the setting `download`. Videos
of `replacement_for_corrupted_*` replace those with the same first 11 characters, the YouTube id.
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
from multitrain.datasets.annotations import csv_records, decode_text, find_first
from multitrain.datasets.fetch.archives import stem, tar_members
from multitrain.datasets.fetch.download import annotations, archive, archives_in_list
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import (
    SPLIT_OF,
    AnnotatedClip,
    Batch,
    Member,
    Publication,
    RemoteArchive,
    distinct,
    safe_id,
)

__all__ = ["read"]

COLUMNS = ("label", "youtube_id", "time_start", "time_end")
SPLIT_NAMES = {"val": ["val", "validate", "validation"], "train": ["train", "training"]}
ID = 11  # characters of a YouTube id
UNLABELLED = {"test", "testing"}


@reader("kinetics", downloads=True)
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`, after the download of annotations and lists."""
    annotations(raw, dataset.download)
    clips: list[AnnotatedClip] = []
    missing: list[Missing] = []
    for role, names in SPLIT_NAMES.items():
        files = [f"{name}.csv" for name in names]
        cure = "bring the publisher's annotations folder"
        path = find_first([raw / "annotations", raw], files, "annotation file", cure)
        for clip in _clips(path, role):
            if clip.label:
                clips.append(clip)
            else:
                missing.append(clip.missing("no label", f"{path.name}: the label is empty"))
    clips, duplicates = distinct(clips)
    classes = tuple(sorted({clip.label for clip in clips}))
    batches = tuple(_batches(raw, clips, dataset.download or Download()))
    return Publication(classes, tuple(clips), (*missing, *duplicates), batches, download=dataset.download)


def _clips(path: Path, role: str) -> Iterator[AnnotatedClip]:
    for place, row in csv_records(read_bytes(path), str(path), COLUMNS):
        word = row.get("split") or role
        if word in UNLABELLED:
            continue
        if word not in SPLIT_OF:
            raise UserError(f"{place}: split {word!r} is none of {', '.join([*SPLIT_OF, *UNLABELLED])}")
        start, end = (_seconds(row[name], name, place) for name in ("time_start", "time_end"))
        key = f"{row['youtube_id']}_{int(start):06d}_{int(end):06d}"
        yield AnnotatedClip(safe_id(key), row["youtube_id"], SPLIT_OF[word], word, row["label"], start, end, key)


def _seconds(text: str, name: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value < 1e6):
        raise UserError(f"{place}: {name} is {text!r}, which is no time in seconds")
    return value


def _batches(raw: Path, clips: list[AnnotatedClip], download: Download) -> Iterator[Batch]:
    replacements: list[tuple[Path, RemoteArchive | None]]
    replacements = [(regular(path), None) for path in sorted(raw.glob("replacement_for_corrupted*gz"))]
    if download.replacement:
        remote = archive(download.base_url, download.replacement, raw, "download.replacement")
        others = [(path, None) for path, _ in replacements if path != remote.path]
        replacements = [*others, (remote.path, remote)]
    for path, offered in replacements:
        yield _batch(path.name, path, offered, partial(_replacements, path, clips))
    for role, names in SPLIT_NAMES.items():
        for path, offered in _archives(raw, role, names, download):
            name = f"{path.parent.name}/{path.name}"
            yield _batch(name, path, offered, partial(_members, path))


def _batch(name: str, path: Path, remote: RemoteArchive | None, members: Callable[[], Iterator[Member]]) -> Batch:
    """One archive; a copy from the user is read instead of a download."""
    return Batch(name, members, (path,), None if remote is None or remote.from_user() else remote)


def _archives(raw: Path, role: str, names: list[str], download: Download) -> list[tuple[Path, RemoteArchive | None]]:
    """The archives of a split, in its folder or to be downloaded."""
    address = {"train": download.train, "val": download.val}[role]
    if address:
        folder = next((raw / name for name in names if (raw / name).is_dir()), raw / role)
        return [(remote.path, remote) for remote in archives_in_list(download, address, folder, f"download.{role}")]
    folder = find_first([raw], names, f"folder of {role} archives", "download the publisher's archives there")
    return [(path, None) for path in _local_archives(folder)]


def _local_archives(folder: Path) -> list[Path]:
    """The archives in a folder, with all that a list beside them names."""
    named = [
        (list_path, line.strip().rsplit("/", 1)[-1])
        for list_path in sorted(folder.glob("*_path.txt"))
        for line in decode_text(read_bytes(list_path), str(list_path)).splitlines()
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


def _replacements(path: Path, clips: list[AnnotatedClip]) -> Iterator[Member]:
    """The members under the key of the clip they replace: the clip of that name, else the only one of that video."""
    keys = {clip.key for clip in clips}
    by_video: dict[str, list[str]] = {}
    for clip in clips:
        by_video.setdefault(clip.key[:ID], []).append(clip.key)
    for member in _members(path):
        same = by_video.get(member.key[:ID], [])
        key = same[0] if member.key not in keys and len(same) == 1 else member.key
        yield replace(member, key=key)
