"""Fingerprints of clips: a grey film of 16 frames of 8 x 8 cells each, which survives encoding and scaling.

They lie in fingerprints.parquet beside the manifest: a row a clip, 1,024 bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.common.files.atomic import atomic

__all__ = ["CELLS", "FRAMES", "NAME", "Fingerprints", "film", "film_frames", "read_fingerprints", "write_fingerprints"]

NAME = "fingerprints.parquet"
FRAMES, CELLS = 16, 8
FILM = np.dtype((np.uint8, (FRAMES, CELLS, CELLS)))
LUMA = (2, 5, 1)  # eighths of red, green and blue: whole numbers give the same film on every processor
SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),  # of the clip's file, to see that it is another one
        pa.field("film", pa.binary(FILM.itemsize), nullable=False),
    ]
)


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of N clips."""

    clip_ids: np.ndarray  # (N,) str
    sizes: np.ndarray  # (N,) bytes of the clips' files
    films: np.ndarray  # (N, FRAMES, CELLS, CELLS) uint8

    def of(self, clip_ids: Iterable[str]) -> "Fingerprints":
        """Those of the clips that have one, in the given order."""
        rows = {name: row for row, name in enumerate(self.clip_ids.tolist())}
        chosen = [rows[name] for name in clip_ids if name in rows]
        return Fingerprints(self.clip_ids[chosen], self.sizes[chosen], self.films[chosen])


def film_frames(length: int, grid: int = 1) -> np.ndarray:
    """(FRAMES,) indices of the frames of a clip of `length` frames that its film shows, multiples of `grid`."""
    return ((2 * np.arange(FRAMES) + 1) * length // (2 * FRAMES)) // grid * grid


def film(frames: np.ndarray) -> np.ndarray:
    """The film (FRAMES, CELLS, CELLS) uint8 of frames (FRAMES, H, W, 3) uint8 RGB: the mean luma of each cell."""
    red, green, blue = np.moveaxis(frames, 3, 0).astype(np.int32)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    height, width = luma.shape[1:]
    cells = _cell_sums(_cell_sums(luma, 1).astype(np.int64), 2)  # CELLS^2 times the sum of each cell
    whole = sum(LUMA) * height * width
    return ((cells + whole // 2) // whole).astype(np.uint8)


def _cell_sums(values: np.ndarray, axis: int) -> np.ndarray:
    """CELLS times the sum over each of CELLS equal parts of an axis, exact where a part ends within a pixel."""
    size = values.shape[axis]
    whole, part = np.divmod(np.arange(CELLS + 1) * size, CELLS)
    padded = np.concatenate([values, np.zeros_like(values.take([0], axis))], axis)
    before = np.cumsum(padded, axis, padded.dtype) - padded  # the sum of all pixels before each
    shape = [-1 if place == axis else 1 for place in range(values.ndim)]
    return np.diff(CELLS * before.take(whole, axis) + part.reshape(shape) * padded.take(whole, axis), axis=axis)


def write_fingerprints(path: Path, found: Fingerprints) -> None:
    """Write the fingerprints atomically."""
    content = pa.py_buffer(np.ascontiguousarray(found.films).reshape(-1))
    films = pa.FixedSizeBinaryArray.from_buffers(SCHEMA.field("film").type, len(found.films), [None, content])
    ids = pa.array(found.clip_ids.tolist(), pa.string())
    table = pa.table([ids, pa.array(found.sizes.tolist(), pa.int64()), films], schema=SCHEMA)
    with atomic(path) as temporary:
        pq.write_table(table, temporary)


def read_fingerprints(path: Path) -> Fingerprints | None:
    """The fingerprints of a file; None where it is missing, damaged or of another version: it is made again."""
    try:
        table = pq.read_table(path, memory_map=True)
    except (pa.ArrowInvalid, OSError):
        return None
    if not table.schema.equals(SCHEMA, check_metadata=False):
        return None
    parts = [part for part in table["film"].chunks if len(part)]
    films = [np.frombuffer(part.buffers()[1], FILM, len(part), part.offset * FILM.itemsize) for part in parts]
    names, sizes = np.array(table["clip_id"].to_pylist(), np.str_), table["bytes"].to_numpy()
    return Fingerprints(names, sizes, np.concatenate([np.empty((0, *FILM.shape), np.uint8), *films]))
