"""Kinetics: annotations/{train,val}.csv, and clips already trimmed in {train,val}/*.tar.gz.

Files are read by their header: releases differ in columns, in quoting, in the word for validation. Where a list
`*_path.txt` lies beside the archives, each archive it names must be there. Videos of `replacement_for_corrupted_*`
stand for those with the same first 11 characters, the id at YouTube.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from multitrain.config import Dataset
from multitrain.data.manifest import Missing
from multitrain.errors import UserError
from multitrain.sources.annotations import first_of, headed_rows
from multitrain.sources.archives import stem, tar_members
from multitrain.sources.publication import OURS, Annotated, Batch, Member, Publication, distinct, safe_id

COLUMNS = ("label", "youtube_id", "time_start", "time_end")
NAMES = {"val": ["val", "validate", "validation"], "train": ["train", "training"]}
ID = 11  # characters of an id at YouTube
UNLABELLED = {"test", "testing"}


def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
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
    return Publication(classes, tuple(clips), (*missing, *duplicates), tuple(_batches(raw, clips)))


def _clips(path: Path, role: str) -> Iterator[Annotated]:
    for place, row in headed_rows(path.read_bytes(), str(path), COLUMNS):
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


def _batches(raw: Path, clips: list[Annotated]) -> Iterator[Batch]:
    for path in sorted(raw.glob("replacement_for_corrupted*gz")):
        yield Batch(path.name, lambda path=path: _replacements(path, clips), (path,))
    for role, names in NAMES.items():
        cure = "download the publisher's archives there"
        folder = first_of([raw], names, f"folder of {role} archives", cure)
        for path in _archives(folder):
            yield Batch(f"{folder.name}/{path.name}", lambda path=path: _members(path), (path,))


def _archives(folder: Path) -> list[Path]:
    listed = [
        (list_path, line.strip().rsplit("/", 1)[-1])
        for list_path in sorted(folder.glob("*_path.txt"))
        for line in list_path.read_text().splitlines()
        if line.strip()
    ]
    for list_path, name in listed:
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: the archive is in {list_path.name} but not there: download it")
    found = sorted([*folder.glob("*.tar.gz"), *folder.glob("*.tgz"), *folder.glob("*.tar")])
    archives = list(dict.fromkeys(folder / name for _, name in listed)) or found
    if not archives:
        raise UserError(f"{folder}: no archive *.tar.gz there: download the publisher's archives")
    return archives


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
