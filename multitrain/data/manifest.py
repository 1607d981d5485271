"""The manifest of a prepared dataset: its table of clips (manifest.parquet) and of missing ones (missing.csv).

The Parquet file has a row for each clip (`SCHEMA`) and, in its metadata, the class names in the publisher's order
(class i has label i). `missing.csv` lists every annotated clip that is not in it, with the reason.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular
from multitrain.common.files.csv_files import write_csv

__all__ = ["REASONS", "SCHEMA", "SPLITS", "Manifest", "Missing", "read_manifest", "write_manifest", "write_missing"]

SPLITS = ("train", "val", "test")

SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),  # unique in the dataset
        pa.field("video_id", pa.string(), nullable=False),  # the source video; clips cut from one video share it
        pa.field("path", pa.string(), nullable=False),  # of the prepared clip, relative to the manifest's folder
        pa.field("label", pa.int32(), nullable=False),  # index into the classes
        pa.field("split", pa.string(), nullable=False),  # one of SPLITS: how we use the clip
        pa.field("publisher_split", pa.string(), nullable=False),  # the publisher's own word
        pa.field("frames", pa.int32(), nullable=False),  # of the prepared clip
        pa.field("fps", pa.float32(), nullable=False),  # constant rate: frame i is shown at i / fps seconds
        pa.field("width", pa.int16(), nullable=False),
        pa.field("height", pa.int16(), nullable=False),
        pa.field("start", pa.float32()),  # seconds in the source video; null where the whole video is the clip
        pa.field("end", pa.float32()),
    ]
)

REASONS = (
    "not found",  # annotated, but in none of the archives or folders
    "empty",  # a file of 0 bytes
    "undecodable",  # no frame could be decoded
    "too short",  # fewer than two frames in the annotated part
    "outside",  # the annotated segment lies outside the file, or ends before it starts
    "duplicate",  # a second row or file of the same id
    "no label",  # the publisher gives no label for it
)


@dataclass(frozen=True)
class Missing:
    """One annotated clip that is not in the manifest."""

    clip_id: str
    video_id: str
    publisher_split: str
    label: str
    reason: str  # one of REASONS
    detail: str  # for the user to act on: archive, member, decoder's message

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason!r} is none of the reasons {', '.join(REASONS)}")


@dataclass(frozen=True)
class Manifest:
    """The clips of one dataset, as Arrow columns that stay in the file's memory map."""

    folder: Path
    classes: tuple[str, ...]
    table: pa.Table

    def split(self, name: str) -> "Manifest":
        """The clips of one split, in the manifest's order."""
        if name not in SPLITS:
            raise UserError(f"{self.folder}: no split {name!r}; there are {', '.join(SPLITS)}")
        mask = pa.compute.equal(self.table["split"], name)
        # column by column: Table.filter takes three times as long
        columns = [column.filter(mask) for column in self.table.columns]
        return Manifest(self.folder, self.classes, pa.table(columns, schema=self.table.schema))

    def empty_classes(self) -> tuple[str, ...]:
        """The classes without a clip."""
        present = set(pa.compute.unique(self.table["label"]).to_pylist())
        return tuple(name for label, name in enumerate(self.classes) if label not in present)

    def __len__(self) -> int:
        return self.table.num_rows


def write_manifest(path: Path, classes: Iterable[str], rows: list[dict]) -> None:
    """Write rows (dicts with the keys of SCHEMA), sorted by clip_id, and the classes, atomically."""
    schema = SCHEMA.with_metadata({"classes": json.dumps(list(classes), ensure_ascii=False)})
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["clip_id"]), schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary)


def read_manifest(path: Path | str, columns: Iterable[str] | None = None) -> Manifest:
    """Read a manifest; with `columns` only these, `label` and `split`, in half the time for millions of clips.

    Raises:
        UserError: the file is missing, unreadable or of another version.
    """
    path = Path(path)
    if not regular(path).is_file():
        raise UserError(f"{path}: no such manifest: run `multitrain prepare` for this dataset first")
    wanted = None if columns is None else list(dict.fromkeys([*columns, "label", "split"]))
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            if not file.schema_arrow.equals(SCHEMA, check_metadata=False):
                raise UserError(f"{path}: columns differ from this version's manifest: prepare the dataset again")
            table = file.read(wanted)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}): prepare the dataset again") from None
    classes = tuple(json.loads((table.schema.metadata or {}).get(b"classes", b"[]")))
    labels = table["label"].to_numpy()
    if not classes or (len(labels) and (labels.min() < 0 or labels.max() >= len(classes))):
        raise UserError(f"{path}: {len(classes)} classes do not cover its labels: prepare the dataset again")
    return Manifest(path.parent, classes, table)


def write_missing(path: Path, missing: Iterable[Missing]) -> None:
    """Write missing.csv, sorted by clip, with its header also where nothing is missing."""
    names = list(Missing.__dataclass_fields__)
    clips = sorted(missing, key=lambda clip: (clip.clip_id, clip.reason))
    write_csv(path, names, ([getattr(clip, name) for name in names] for clip in clips))
