"""Video decoding: selected frames of a prepared clip, with as little decoding as its layout allows."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from multitrain.common.errors import UserError
from multitrain.data.damage import decoded_items, decoder_errors

__all__ = ["read_frames", "to_rgb"]

SLACK = 0.25  # of a frame's duration: the largest distance of a frame's time from i / fps
# A converter's tables cost more than converting a frame: one is kept for each thread.
_cache = threading.local()


class Damaged(Exception):
    """A file that the decoder cannot read."""


def read_frames(path: Path, indices: Sequence[int] | np.ndarray, fps: float, stride: int = 1) -> np.ndarray:
    """Frames of a constant-rate file by index, in the given order, with repeats: (N, H, W, 3) uint8 RGB.

    Frame i is shown at i / fps seconds. If all indices are multiples of `stride`, non-reference frames are not decoded;
    a file whose layout does not allow it is decoded in full, with the same result.

    Raises:
        UserError: the file cannot be read, or has no such frame.
    """
    wanted = np.asarray(indices)
    if wanted.size == 0 or wanted.dtype.kind not in "iu":
        raise ValueError(f"frames are asked for by a list of whole numbers, not {indices!r}")
    unique = set(wanted.tolist())
    frames: dict[int, np.ndarray] = {}
    try:
        if stride > 1 and not (wanted % stride).any():
            frames = _decode(path, unique, fps, "NONREF")
        if len(frames) < len(unique):
            frames = _decode(path, unique, fps, "DEFAULT")
        if len({frame.shape for frame in frames.values()}) > 1:
            raise Damaged("frames of several sizes")
    except Damaged as error:
        raise UserError(f"{path}: no readable clip ({error}): prepare the dataset again") from None
    lacking = sorted(unique - frames.keys())
    if lacking:
        raise UserError(f"{path}: no frame {lacking[0]} at {fps:g} frames a second: prepare the dataset again")
    return np.stack([frames[index] for index in wanted.tolist()])


def _decode(path: Path, wanted: set[int], fps: float, skip: Literal["NONREF", "DEFAULT"]) -> dict[int, np.ndarray]:
    """Decode the wanted frames, by index."""
    first, last = min(wanted), max(wanted)
    frames: dict[int, np.ndarray] = {}
    with decoder_errors(Damaged):
        container = av.open(str(path))
    with container:
        with decoder_errors(Damaged):
            stream = cast(av.VideoStream | None, container.streams.best("video"))
            if stream is None or stream.codec_context is None or stream.time_base is None:
                raise Damaged("no pictures in it")
            context = stream.codec_context
            context.thread_type, context.thread_count = "NONE", 1
            context.skip_frame = skip
            rate = float(stream.time_base) * fps  # frames a unit of the file's time
            if first > 0:
                container.seek(round(first / rate), stream=stream, backward=True)
        for frame in decoded_items(container.decode(stream), Damaged):
            if frame.pts is None:
                raise Damaged("a frame without a time")
            place = frame.pts * rate
            index = round(place)
            if index > last:
                break
            if index in wanted and abs(place - index) < SLACK:
                with decoder_errors(Damaged):
                    frames[index] = to_rgb(frame)
                if len(frames) == len(wanted):
                    break
    return frames


def to_rgb(frame: av.VideoFrame) -> np.ndarray:
    """A decoded frame as (H, W, 3) uint8."""
    if not hasattr(_cache, "reformatter"):
        _cache.reformatter = VideoReformatter()
    # one thread: starting more takes ten times as long as converting a small frame
    return _cache.reformatter.reformat(
        frame, format="rgb24", interpolation=Interpolation.BILINEAR, threads=1
    ).to_ndarray()
