"""ActivityNet: one JSON of annotated segments, and untrimmed videos v_{id}.mp4, .mkv or .webm.

A segment of L seconds is cut into ceil(L / clip_seconds) equal pieces, so no remainder is lost and none is much
shorter than the others. The cuts depend on the annotation alone: a piece that runs past the file's end is clipped to
it, and one wholly behind it is listed as outside. Many links are dead, so a missing video is counted, not an error.
With the setting `download.videos` a video that is not there is downloaded.
"""

import json
import math
from collections.abc import Container, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes, special
from multitrain.config.scale import Dataset
from multitrain.data.manifest import Missing
from multitrain.datasets.annotations import find_first, parse_json
from multitrain.datasets.fetch.download import annotations
from multitrain.datasets.fetch.ytdlp import SUFFIXES, VideoDownloads
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import SPLIT_OF, AnnotatedClip, Batch, Member, Publication, distinct, safe_id

__all__ = ["read"]

UNLABELLED = {"test", "testing"}
LONGEST = 86_400  # seconds of a segment; a longer one is an error of annotation


@reader("activitynet", downloads=True)
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
    annotations(raw, dataset.download)
    path, database = _database(raw)
    fetching = dataset.download is not None and dataset.download.videos
    folder = raw / "videos"
    if not fetching:
        find_first([raw], ["videos"], "folder of videos", "put the videos v_{id}.mp4 there")
    clips: list[AnnotatedClip] = []
    missing: list[Missing] = []
    order = sorted(database, key=lambda name: (_subset(path, name, database[name]) == "train", name))
    for name in order:
        entry = database[name]
        if _subset(path, name, entry):
            _add_segments(name, entry, dataset.clip_seconds, clips, missing)
    clips, duplicates = distinct(clips)
    classes = tuple(sorted({clip.label for clip in clips}))
    wanted = {clip.key for clip in clips}
    entries = {name: database[name] for name in order if name in wanted}
    attempts = dataset.download.attempts if dataset.download is not None and fetching else 0

    def only(keys: Container[str]) -> Iterator[Member]:
        return _members(folder, {name: entry for name, entry in entries.items() if name in keys}, attempts)

    batch = Batch("videos", lambda: _members(folder, entries, attempts), only=only)
    return Publication(classes, tuple(clips), (*missing, *duplicates), (batch,), cut=True)


def _database(raw: Path) -> tuple[Path, dict]:
    found = []
    there = sorted([*raw.glob("*.json"), *raw.glob("annotations/*.json")])
    for path in there:
        held = parse_json(read_bytes(path), str(path), object)
        if isinstance(held, dict) and isinstance(held.get("database"), dict):
            found.append((path, held["database"]))
    if len(found) != 1:
        names = ", ".join(path.name for path, _ in found)
        cure = "leave the one to use" if found else "put the publisher's activity_net.v1-3.min.json there"
        others = f" ({', '.join(path.name for path in there)} has another form)" if there and not found else ""
        problem = f"needs one JSON with a database of annotations, found {names or 'none'}{others}"
        raise UserError(f"{raw}: {problem}: {cure}")
    return found[0]


def _subset(path: Path, name: str, entry: object) -> str:
    """The split of a video, empty for the unlabelled ones."""
    word = entry.get("subset") if isinstance(entry, dict) else None
    if word in UNLABELLED:
        return ""
    if word not in SPLIT_OF:
        raise UserError(f"{path}: database.{name}: subset {word!r} is none of training, validation, testing")
    return SPLIT_OF[word]


def _add_segments(name: str, entry: dict, longest: float, clips: list[AnnotatedClip], missing: list[Missing]) -> None:
    """Add the pieces of a video's segments to `clips`, and unusable segments to `missing`."""
    given = entry.get("annotations")
    given = given if isinstance(given, list) else []
    for index, annotation in enumerate(given):
        annotation = annotation if isinstance(annotation, dict) else {}
        base = f"{name}_{index:03d}"
        label = str(annotation.get("label") or "").strip()
        segment = annotation.get("segment")
        whole = _clip(name, entry["subset"], label, safe_id(base), None, None)
        if not label:
            missing.append(whole.missing("no label", f"segment {json.dumps(segment)}"))
        elif not _is_interval(segment):
            missing.append(whole.missing("outside", f"segment {json.dumps(segment)} is no stretch of time"))
        else:
            for number, (start, end) in enumerate(pieces(float(segment[0]), float(segment[1]), longest)):
                clips.append(_clip(name, entry["subset"], label, safe_id(f"{base}_{number:02d}"), start, end))
    if not given:
        empty = _clip(name, entry["subset"], "", safe_id(name), None, None)
        missing.append(empty.missing("no label", "no annotated segment"))


def _clip(name: str, word: str, label: str, clip_id: str, start: float | None, end: float | None) -> AnnotatedClip:
    return AnnotatedClip(clip_id, safe_id(name), SPLIT_OF[word], word, label, start, end, name)


def _is_interval(segment: object) -> TypeGuard[list[int | float]]:
    if not isinstance(segment, list) or len(segment) != 2:
        return False
    if not all(isinstance(time, int | float) and math.isfinite(time) for time in segment):
        return False
    return max(0, segment[0]) < segment[1] <= segment[0] + LONGEST


def pieces(start: float, end: float, longest: float) -> list[tuple[float, float]]:
    """The segment in ceil(length / longest) equal parts; a length of whole parts but for rounding gives those."""
    count = max(1, math.ceil((end - start) / longest - 1e-6))
    edges = [start + (end - start) * i / count for i in range(count)] + [end]
    return list(pairwise(edges))


def _members(folder: Path, entries: dict[str, dict], attempts: int) -> Iterator[Member]:
    """The videos in the folder, and with `attempts` those that yt-dlp can download."""
    files = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    videos = VideoDownloads(folder, attempts) if attempts else None
    for name, entry in entries.items():
        there = (files.get(f"v_{name}{suffix}") for suffix in SUFFIXES)
        path, reason = next((path for path in there if path is not None and path.exists()), None), ""
        if path is not None and (kind := special(path)):
            yield Member(name, f"{folder.name}/{path.name}", 0, None, f"it is {kind}, not a regular file")
            continue
        if path is None and videos is not None:
            path, reason = videos.fetch(name, entry)
        if path is not None:
            yield Member(name, f"{folder.name}/{path.name}", path.stat().st_size, path)
        elif reason:
            yield Member(name, name, 0, None, absent=f"{name}: {reason}")
