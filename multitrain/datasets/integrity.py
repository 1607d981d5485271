"""Integrity check of prepared clips: each decodes and is as the manifest describes it.

Damage shows as an error of the decoder. It notices half of the files with one changed byte; in the others the stream
is valid and shows another picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np

from multitrain.common.files.filenames import as_path
from multitrain.common.process_pool import process_map
from multitrain.common.seeding import generator
from multitrain.config.scale import Limits
from multitrain.data.damage import decoded_items, decoder_errors
from multitrain.data.manifest import Manifest
from multitrain.datasets.transcode.refused import Undecodable
from multitrain.datasets.transcode.source_video import OPENING

__all__ = ["check", "sampled_rows"]

SLACK = 0.25  # of a frame's duration, as data/decode.py takes it


@dataclass(frozen=True)
class CheckResult:
    """Result for one clip; an empty `problem` means that it is intact."""

    clip_id: str
    path: Path
    problem: str


@dataclass(frozen=True)
class Expected:
    """One file as the manifest describes it."""

    path: Path
    frames: int
    fps: float
    width: int
    height: int


def sampled_rows(manifest: Manifest, sample: int | None, seed: int) -> np.ndarray:
    """Sorted rows to check: a seeded sample of that many clips; all where it is None or larger than the manifest."""
    if sample is None or sample >= len(manifest):
        return np.arange(len(manifest))
    return np.sort(generator(seed, "check").choice(len(manifest), sample, replace=False))


def check(manifest: Manifest, rows: np.ndarray, jobs: int, limits: Limits) -> Iterator[CheckResult]:
    """Decode the clips of those rows from first to last frame, in the manifest's order."""
    names = ["clip_id", "path", "frames", "fps", "width", "height"]
    columns = {name: manifest.table[name] for name in names}

    def expected() -> Iterator[Expected]:
        for row in rows:
            path, frames, fps, width, height = (columns[name][row].as_py() for name in names[1:])
            yield Expected(manifest.folder / as_path(path), frames, fps, width, height)

    for row, (clip, problem) in zip(rows, process_map(find_problem, expected(), jobs, limits.seconds), strict=True):
        yield CheckResult(columns["clip_id"][row].as_py(), clip.path, problem)


def find_problem(clip: Expected) -> str:
    """The problem with a file, empty for an intact one."""
    if not clip.path.is_file():
        return "no such file"
    try:
        return _decode_and_compare(clip)
    except Undecodable as error:
        return f"it does not decode: {error}"
    except ArithmeticError as error:  # times that make no sense
        return f"it cannot be read: {' '.join(str(error).split())}"


def _decode_and_compare(clip: Expected) -> str:
    """Compare the decoded frames with the manifest; errors that the decoder hides in training are raised."""
    count, misplaced = 0, ""
    with decoder_errors(Undecodable):
        container = av.open(str(clip.path.absolute()), options=OPENING, metadata_errors="replace")
    with container:
        with decoder_errors(Undecodable):
            stream = cast(av.VideoStream | None, container.streams.best("video"))
            if stream is None or stream.codec_context is None or stream.time_base is None:
                raise Undecodable("no video stream that this build can decode")
            context, base = stream.codec_context, stream.time_base
            context.thread_type, context.thread_count = "NONE", 1
            context.options = {"err_detect": "explode"}  # else damaged parts are painted over
        for frame in decoded_items(container.decode(stream), Undecodable):
            if (frame.width, frame.height) != (clip.width, clip.height):
                return f"{frame.width}x{frame.height} pixels where the manifest has {clip.width}x{clip.height}"
            place = None if frame.pts is None else float(frame.pts * base) * clip.fps
            if not misplaced and (place is None or abs(place - count) > SLACK):
                misplaced = f"frame {count} stands at the time of frame {place if place is None else round(place, 2)}"
            count += 1
    return f"{count} frames where the manifest has {clip.frames}" if count != clip.frames else misplaced
