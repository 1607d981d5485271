"""Videos that show the same, for `multitrain new`: fingerprints of the files, before anything is prepared."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from multitrain.common.process_pool import process_map
from multitrain.data.decode import to_rgb
from multitrain.data.duplicates.fingerprints import CELLS, FRAMES, film, film_frames
from multitrain.data.duplicates.matching import find_matches
from multitrain.datasets.transcode.refused import Refused
from multitrain.datasets.transcode.source_video import DEFAULT, Video

__all__ = ["Films", "one_name_each", "same_videos", "video_films"]

Films = Mapping[str, np.ndarray]  # by the video's name: (FRAMES, CELLS, CELLS) uint8


def video_films(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """The films of all video files that can be read, by their names."""
    found = process_map(_film, files.values(), os.cpu_count() or 1, DEFAULT.seconds)
    return {name: made for name, (_, made) in zip(files, found, strict=True) if isinstance(made, np.ndarray)}


def _film(file: Path) -> np.ndarray | str:
    """The film of a whole file, or why it has none."""
    try:
        with Video(file) as video:
            shown = [film(to_rgb(frame)[None])[0] for _, frame in video.frames()]
    except Refused as error:
        return str(error)
    return np.stack(shown)[film_frames(len(shown))] if shown else "no frame in the file"


def same_videos(first: Films, second: Films) -> list[tuple[str, str]]:
    """The pairs of names, of the first and of the second, whose videos show the same; of a pair both ways the first."""
    ours, theirs = sorted(first), sorted(second)
    found = find_matches(_stacked(first, ours), _stacked(second, theirs))
    pairs = {(ours[one], theirs[other]) for one, other in zip(found.first, found.second, strict=True)}
    return sorted(pairs if first is not second else {(one, other) for one, other in pairs if one < other})


def _stacked(films: Films, names: Sequence[str]) -> np.ndarray:
    return np.array([films[name] for name in names], np.uint8).reshape(len(names), FRAMES, CELLS, CELLS)


def one_name_each(names: Sequence[str], films: Films) -> dict[str, str]:
    """For each name the first one, by name, among those whose videos show the same."""
    ordered = sorted(names)
    place = {name: number for number, name in enumerate(ordered)}
    pairs = np.array([[place[name] for name in pair] for pair in same_videos(films, films)], np.int64).reshape(-1, 2)
    edges = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(ordered), len(ordered)))
    group = connected_components(edges, directed=False)[1]
    first: dict[int, str] = {}
    return {name: first.setdefault(int(number), name) for name, number in zip(ordered, group, strict=True)}
