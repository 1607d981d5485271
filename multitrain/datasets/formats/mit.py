"""Moments in Time: one zip with training/{class}/*.mp4, validation/{class}/*.mp4 and lists without a header.

A video is named by its class folder and file, so the same file under two classes is two clips of one video.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from multitrain.common.errors import UserError
from multitrain.config.scale import Dataset
from multitrain.datasets.annotations import csv_rows, find_first
from multitrain.datasets.fetch.archives import open_zip, zip_members, zip_text
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import SPLIT_OF, AnnotatedClip, Batch, Publication, distinct, safe_id

__all__ = ["read"]

ARCHIVE = "Moments_in_Time_Raw.zip"
CATEGORIES = "moments_categories.txt"
LISTS = {"validation": "validationSet.csv", "training": "trainingSet.csv"}


@reader("mit")
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
    path = find_first([raw], [ARCHIVE], "archive", "ask the publisher for it and put it there")
    with open_zip(path) as archive:
        names = {PurePosixPath(name).name: name for name in archive.namelist()}
        classes = _classes(*_content(archive, path, names, CATEGORIES))
        clips = [
            clip
            for split, name in LISTS.items()
            for clip in _clips(*_content(archive, path, names, name), split, set(classes))
        ]
    labelled, duplicates = distinct(clip for clip in clips if clip.label)
    missing = [clip.missing("no label", "its row has no label") for clip in clips if not clip.label]
    batch = Batch(path.name, lambda: zip_members(path, _key), (path,))
    return Publication(classes, tuple(labelled), (*missing, *duplicates), (batch,))


def _content(archive: ZipFile, path: Path, names: dict[str, str], name: str) -> tuple[bytes, str]:
    if name not in names:
        raise UserError(f"{path}: no {name} in the archive: it is not the publisher's, or not all of it")
    return zip_text(archive, names[name], f"{path}: {name}"), f"{path}: {name}"


def _classes(content: bytes, where: str) -> tuple[str, ...]:
    """Names in the order of their indices, or of the lines where a line has no index."""
    rows = list(csv_rows(content, where))
    if all(len(row) > 1 and row[-1].isdigit() for _, row in rows):
        rows.sort(key=lambda item: int(item[1][-1]))
        indices = [int(row[-1]) for _, row in rows]
        if indices != list(range(len(rows))):
            raise UserError(f"{where}: the indices are not 0 to {len(rows) - 1}, each once: get the file again")
    classes = tuple(row[0] for _, row in rows)
    if not classes or len(set(classes)) != len(classes):
        raise UserError(f"{where}: {'a class is there twice' if classes else 'no class'}: get the file again")
    return classes


def _clips(content: bytes, where: str, split: str, classes: set[str]) -> Iterator[AnnotatedClip]:
    for place, row in csv_rows(content, where):
        if len(row) < 2 or not row[0]:
            raise UserError(f"{place}: expected filename,label,votes,votes, found {','.join(row)}")
        name, label = row[0], row[1]
        if label and label not in classes:
            raise UserError(f"{place}: label {label!r} is not in {CATEGORIES}")
        path = PurePosixPath(name)
        clip_id = safe_id(".".join([*path.parts[:-1], path.stem]))
        key = _key(f"{split}/{name}")
        yield AnnotatedClip(clip_id, safe_id(path.stem), SPLIT_OF[split], split, label, None, None, key)


def _key(name: str) -> str:
    """Split, class and file of a member's name, whatever folders stand before them."""
    return "/".join(PurePosixPath(name.replace("\\", "/")).parts[-3:])
