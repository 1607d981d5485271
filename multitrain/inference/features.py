"""Feature extraction: z of every clip of a folder of videos or of a split of a prepared dataset, as Parquet."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular
from multitrain.common.files.filenames import as_path, shown
from multitrain.common.process_pool import process_map
from multitrain.data.manifest import read_manifest
from multitrain.inference.answers import Failure
from multitrain.inference.predict import SECONDS, Recogniser
from multitrain.inference.video_frames import read_views
from multitrain.inference.video_inputs import videos
from multitrain.model.files.metadata import Frames

__all__ = ["collect", "frames_for", "require_table", "write_features"]

FORMAT = "multitrain-features-1"
ROWS = 1000  # held before they are written
COLUMNS = ("clip_id", "path", "label", "split")


@dataclass(frozen=True)
class Clip:
    """One video; label and class are null where they are unknown."""

    clip_id: str
    path: str  # relative to the collection's folder
    label: int | None = None
    name: str | None = None  # of the class


@dataclass(frozen=True)
class Collection:
    """The clips of one folder."""

    folder: Path
    clips: Sequence[Clip]
    dataset: str | None = None  # of a prepared dataset: its folder's name
    split: str | None = None


def schema(width: int) -> pa.Schema:
    """The columns of a table of features; z is the mean over the clip's test views."""
    return pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            pa.field("dataset", pa.string()),
            pa.field("label", pa.int32()),
            pa.field("class", pa.string()),
            pa.field("views", pa.int16(), nullable=False),
            pa.field("z", pa.list_(pa.float32(), width), nullable=False),
        ]
    )


def dataset_collection(manifest: Path, split: str) -> Collection:
    """The clips of one split of a prepared dataset.

    Raises:
        UserError: no readable manifest, or no clip in that split.
    """
    found = read_manifest(manifest, COLUMNS).split(split)
    if not len(found):
        raise UserError(f"{manifest}: no clip in split {split}: choose another one with --split")
    columns = (found.table[name].to_pylist() for name in ("clip_id", "path", "label"))
    clips = [Clip(clip_id, path, label, found.classes[label]) for clip_id, path, label in zip(*columns, strict=True)]
    return Collection(found.folder, clips, found.folder.resolve().name, split)


def folder_collection(folder: Path) -> Collection:
    """The videos of a folder and those below it, named by their relative paths.

    Raises:
        UserError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: name one of videos, or of a prepared dataset")
    found = videos([str(folder)])
    if complaints := [item for item in found if isinstance(item, Failure)]:
        raise UserError(f"{complaints[0].path}: {complaints[0].reason}")
    names = [Path(path).relative_to(folder).as_posix() for path in found if isinstance(path, str)]
    return Collection(folder, [Clip(name, name) for name in names])


def collect(where: Path, split: str) -> Collection:
    """A prepared dataset, by its folder or manifest, or a folder of videos."""
    manifest = where / "manifest.parquet" if where.is_dir() else where
    is_prepared = manifest.suffix == ".parquet" and regular(manifest).is_file()
    return dataset_collection(manifest, split) if is_prepared else folder_collection(where)


def frames_for(recogniser: Recogniser, dataset: str | None) -> tuple[str, Frames]:
    """The head and its frames: the dataset's own head, or the first where the network has none for it."""
    datasets = recogniser.card.datasets
    name = dataset if dataset in datasets else next(iter(datasets))
    return name, datasets[name].frames


def write_features(
    recogniser: Recogniser,
    collection: Collection,
    frames: Frames,
    out: Path,
    jobs: int = 1,
    done: Callable[[int, int], None] = lambda done, total: None,
    seconds: float = SECONDS,
) -> list[Failure]:
    """Write the features of all readable clips, in order and in bounded memory; returns the failures.

    Args:
        frames: which frames are read, in which views.
        jobs: processes that decode ahead.
        done: gets (clips done, clips in all).
        seconds: time limit for one clip.

    Raises:
        UserError: none could be read; then no file is left.
    """
    failures: list[Failure] = []
    columns = schema(recogniser.network.backbone.width).with_metadata(
        {"multitrain": _text(recogniser, collection, frames)}
    )
    rows, written = [], 0
    with atomic(out) as temporary, pq.ParquetWriter(temporary, columns) as writer:
        for place, found in enumerate(_rows(recogniser, collection, frames, jobs, seconds), start=1):
            failures.append(found) if isinstance(found, Failure) else rows.append(found)
            if len(rows) >= ROWS or (rows and place == len(collection.clips)):
                writer.write_table(pa.Table.from_pylist(rows, schema=columns))
                written, rows = written + len(rows), []
            done(place, len(collection.clips))
        if not written:
            reason = f"; the first, {failures[0].path}: {failures[0].reason}" if failures else ""
            raise UserError(f"{collection.folder}: none of {len(failures)} videos could be read{reason}")
    return failures


def _rows(
    recogniser: Recogniser, collection: Collection, frames: Frames, jobs: int, seconds: float
) -> Iterator[dict | Failure]:
    """A row for each clip, or its failure."""
    count, size = recogniser.size
    decode = partial(_decode, frames=frames, count=count, size=size)
    paths = [str(collection.folder / as_path(clip.path)) for clip in collection.clips]
    for clip, (path, found) in zip(collection.clips, process_map(decode, paths, jobs, seconds), strict=True):
        if isinstance(found, str):
            yield Failure(path, found.removeprefix(f"{path}: "))
            continue
        views = torch.from_numpy(found)
        z = recogniser.outputs(views).features.mean(0)
        yield {
            "clip_id": shown(clip.clip_id),
            "path": shown(clip.path),
            "dataset": collection.dataset,
            "label": clip.label,
            "class": clip.name,
            "views": len(views),
            "z": z.numpy(),
        }


def _decode(path: str, frames: Frames, count: int, size: int) -> np.ndarray | str:
    """The views (V, 3, T, S, S) of one video, or the error message; runs in a worker process."""
    torch.set_num_threads(1)
    try:
        return read_views(path, frames, count, size).numpy()
    except UserError as error:
        return str(error)


def _text(recogniser: Recogniser, collection: Collection, frames: Frames) -> str:
    """The metadata of the table, as JSON."""
    network, card = recogniser.network, recogniser.card
    return json.dumps(
        {
            "format": FORMAT,
            "dataset": collection.dataset,
            "split": collection.split,
            "frames": json.loads(frames.model_dump_json()),
            "size": network.spec.size,
            "model": json.loads(card.model_dump_json()),
        },
        ensure_ascii=False,
    )


def require_table(out: Path) -> None:
    """Raise a UserError where `out` is an existing file other than a table of features."""
    if not os.path.lexists(out):
        return
    try:
        metadata = json.loads((pq.read_schema(regular(out)).metadata or {}).get(b"multitrain", b"{}"))
        ours = isinstance(metadata, dict) and metadata.get("format") == FORMAT
    except (pa.ArrowException, OSError, ValueError):
        ours = False
    if not ours:
        raise UserError(f"{out}: is there and is no table of features, which alone is replaced: choose another name")
