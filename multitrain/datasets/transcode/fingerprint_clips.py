"""Fingerprints of all prepared clips of a dataset; those of unchanged files are kept."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import as_path
from multitrain.common.process_pool import process_map
from multitrain.common.progress import progress as bar_of
from multitrain.data.decode import read_frames
from multitrain.data.duplicates.fingerprints import (
    CELLS,
    FRAMES,
    NAME,
    Fingerprints,
    film,
    film_frames,
    read_fingerprints,
    write_fingerprints,
)

__all__ = ["fingerprint_clips"]

Item = tuple[Path, int, float]  # path, frames and rate of a clip


def fingerprint_clips(folder: Path, rows: list[dict], grid: int, jobs: int, seconds: float) -> None:
    """Write fingerprints.parquet of the manifest's rows; a clip that cannot be decoded has none.

    `grid`: frames between two that need decoding alone. `seconds`: limit for one clip.
    """
    path = folder / NAME
    known = read_fingerprints(path)
    films = {} if known is None else dict(zip(zip(known.clip_ids, known.sizes, strict=True), known.films, strict=True))
    keys = [(row["clip_id"], (folder / as_path(row["path"])).stat().st_size) for row in rows]
    fresh = [row for key, row in zip(keys, rows, strict=True) if key not in films]
    if known is not None and not fresh and len(keys) == len(films):
        return
    items = [(folder / as_path(row["path"]), row["frames"], row["fps"]) for row in fresh]
    made = dict(zip((row["clip_id"] for row in fresh), _films(items, grid, jobs, seconds), strict=True))
    found = sorted((*key, films.get(key, made.get(key[0]))) for key in keys)
    kept = [each for each in found if each[2] is not None]
    shape = (len(kept), FRAMES, CELLS, CELLS)
    names, sizes = (np.array([each[place] for each in kept]) for place in (0, 1))
    stacked = np.array([each[2] for each in kept], np.uint8).reshape(shape)
    write_fingerprints(path, Fingerprints(names, sizes, stacked))


def _films(items: list[Item], grid: int, jobs: int, seconds: float) -> Iterator[np.ndarray | None]:
    with bar_of("fingerprints", "clip", len(items)) as bar:
        for _, made in process_map(partial(_film, grid=grid), items, jobs, seconds) if items else ():
            bar.update()
            yield None if isinstance(made, str) else made


def _film(clip: Item, grid: int) -> np.ndarray | str:
    path, length, fps = clip
    try:
        return film(read_frames(path, film_frames(length, grid), fps, grid))
    except UserError as error:  # of a damaged clip, which `multitrain data check` finds
        return str(error)
