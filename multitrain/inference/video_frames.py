"""Frames of a raw video, as the head was trained on: constant rate, prepared size, upright; nothing is written."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import special
from multitrain.config.scale import Views
from multitrain.data.clips import view_indices
from multitrain.data.damage import decoder_errors
from multitrain.data.decode import to_rgb
from multitrain.data.transforms import as_frames, view_crops
from multitrain.datasets.transcode.encode_clip import to_square_pixels
from multitrain.datasets.transcode.refused import STILL, NotAFile, OverLimit, Refused, TooShort, Undecodable
from multitrain.datasets.transcode.source_video import DEFAULT, TOLERANCE, Video, rotation
from multitrain.model.files.metadata import Frames

__all__ = ["ConstantRateVideo", "read_part", "read_views", "read_views_until_error", "read_windows", "video_errors"]

FAR = Fraction(5)  # seconds between two frames beyond which seeking replaces decoding
MOST_PARTS = 100_000  # of one video


class BrokenOff(Undecodable):
    """The decoder gave no frame although packets follow; `time` is that of the last frame."""

    def __init__(self, time: Fraction, detail: str):
        super().__init__(f"broken off at {float(time):.2f} s ({detail})")
        self.time = time


@contextmanager
def video_errors(path: Path | str) -> Iterator[None]:
    """Turn the errors of reading a video into a UserError that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Refused as error:
        cure = f": {error.cure}" if error.cure else ""
        raise UserError(f"{path}: no video that can be used ({error}){cure}") from None
    except MemoryError:
        raise UserError(f"{path}: not enough memory for its frames: see to it and start again") from None
    except (ArithmeticError, ValueError) as error:  # malformed times and sizes
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: makes no sense as a video ({detail}): see whether a player shows it") from None


class ConstantRateVideo:
    """A video resampled to the constant-rate frames 0 .. length - 1 of a head. Use it in a `with` block.

    Only the frames of the requested clips are held in memory.
    """

    def __init__(self, path: Path, frames: Frames):
        """Raises a `Refused` for a file without a video of two frames."""
        if kind := special(path):
            raise NotAFile(f"{kind}, not a regular file")
        with path.open("rb") as stream:  # the system's error is clearer than libav's
            if not stream.read(1):
                raise Undecodable("a file of 0 bytes")
        self._frames = frames
        self._video = Video(path, DEFAULT)
        try:
            video = self._video
            fps = frames.fps
            self.rate = video.average_rate() if fps is None else Fraction(fps).limit_denominator(1001)
            self._interval = min(1 / (video.header_rate or self.rate), Fraction(1))
            ends = video.ends()
            if len(ends) < 2:  # packets without times; decoding estimates them
                ends = _decoded_ends(video)
            if len(ends) < 2:
                raise TooShort(STILL) if ends else Undecodable(video.last_error or "no frame in the file")
            self._first, self._last = ends[0], ends[-1]
            if self._last - self._first > DEFAULT.minutes * 60:
                raise OverLimit(
                    f"frames over {float(self._last - self._first):.0f} s: longer than {DEFAULT.minutes:g} minutes"
                )
            self.length = resampled(ends, self.rate, self._interval)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ConstantRateVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._video.__exit__()

    @property
    def duration(self) -> float:
        """Duration in seconds of the frames in the file, before resampling."""
        return float(self._last - self._first + self._interval)

    @property
    def header_duration(self) -> float:
        """Duration in seconds by the header where the file is shorter than that; else `duration`."""
        return self.duration + float(self._video.missing)

    def shorten(self, broken: BrokenOff) -> bool:
        """Cut the end that cannot be decoded; False where fewer than two frames are left."""
        self._last = broken.time
        self.length = resampled([self._first, self._last], self.rate, self._interval)
        return self._last > self._first and self.length >= 2

    def clips(self, requests: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """Frames (T, 3, H, W) uint8 of each list of indices, as soon as its last one is decoded.

        One pass over the file where the first indices of the lists rise.
        """
        requests = list(requests)
        uses = Counter(index for request in requests for index in set(request.tolist()))
        order = sorted(uses)
        coming = zip(order, self._pictures(order), strict=True)
        kept: dict[int, np.ndarray] = {}
        reached = -1
        for request in requests:
            while reached < request.max():
                reached, picture = next(coming)
                kept[reached] = picture
            yield as_frames(np.stack([kept[index] for index in request.tolist()]))
            for index in set(request.tolist()):
                uses[index] -= 1
                if not uses[index]:
                    del kept[index]

    def _pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """(H, W, 3) uint8 for each of rising indices."""
        nearest, short_side = self._nearest(indices), self._frames.short_side
        if short_side is None:
            return (np.rot90(_picture(frame), rotation(frame)) for frame in nearest)
        return map(_picture, to_square_pixels(nearest, self._video.aspect, short_side))

    def _nearest(self, indices: Sequence[int]) -> Iterator[av.VideoFrame]:
        """The source's frame nearest to each of rising indices; of two equally near ones the earlier, as `resample`."""
        held: tuple[Fraction, av.VideoFrame] | None = None
        following: tuple[Fraction, av.VideoFrame] | None = None
        coming: Iterator[tuple[Fraction, av.VideoFrame]] = iter(())
        for index in indices:
            time = self._first + index / self.rate
            if held is None or (time > held[0] + FAR and self._video.seekable):
                coming = self._video.frames(time)
                held, following = next(coming, None), next(coming, None)
                if held is None:
                    raise Undecodable(self._video.last_error or "no frame in the file")
            while following is not None and (held[0] + following[0]) / 2 < time:
                held, following = following, next(coming, None)
            if following is None and held[0] < self._last - TOLERANCE and time > held[0] + self._interval:
                raise BrokenOff(held[0], self._video.last_error or "no more frames")
            yield held[1]


def _picture(frame: av.VideoFrame) -> np.ndarray:
    with decoder_errors(Undecodable):
        return to_rgb(frame)


def resampled(ends: Sequence[Fraction], rate: Fraction, interval: Fraction) -> int:
    """The number of frames that `resample` makes; `ends` has the first and last two times."""
    middle = (ends[-2] + ends[-1]) / 2 - ends[0]
    return max(math.floor(middle * rate) + 1, round((ends[-1] - ends[0] + interval) * rate))


def _decoded_ends(video: Video) -> list[Fraction]:
    """`Video.ends` by decoding the whole video."""
    ends: list[Fraction] = []
    for time, _ in video.frames():
        ends = [*ends[:1], *ends[1:][-1:], time]
    return ends


def read_views(path: Path | str, frames: Frames, count: int, size: int, name: str | None = None) -> Tensor:
    """All test views (V, 3, T, S, S) uint8 of a video: temporal views times crops, in the order of evaluation.

    A damaged file is read up to the damage; `read_views_until_error` returns up to where. Errors name the video `name`,
    or its path.

    Raises:
        UserError: no video, or one that cannot be decoded.
    """
    return read_views_until_error(path, frames, count, size, name)[0]


def read_views_until_error(
    path: Path | str, frames: Frames, count: int, size: int, name: str | None = None
) -> tuple[Tensor, float | None]:
    """The views, and the seconds up to which a damaged file could be read; None for an intact file."""
    with video_errors(name or path), ConstantRateVideo(Path(path), frames) as video:
        try:
            views = _views(video, frames, count, size)
            return views, video.duration if video.header_duration > video.duration else None
        except BrokenOff as broken:
            if not video.shorten(broken):
                raise
            return _views(video, frames, count, size), video.duration


def _views(video: ConstantRateVideo, frames: Frames, count: int, size: int) -> Tensor:
    requests = view_indices(frames, video.length, count)
    crops = [crop for clip in video.clips(requests) for crop in view_crops(clip, size, frames.views.spatial)]
    return torch.stack([crop.transpose(0, 1) for crop in crops])


def read_windows(
    path: Path | str, frames: Frames, count: int, size: int, seconds: float, hop: float
) -> Iterator[tuple[float, float, Tensor]]:
    """(start, end, clip (3, T, S, S) uint8) of parts of a video in order of time, the centre crop of each.

    The parts start every `hop` seconds; a last one ends with the video. They depend on its length alone: other
    frames of the same video give the same parts. A damaged file ends at the damage.

    Raises:
        UserError: no video, or one that cannot be decoded.
    """
    with video_errors(path), ConstantRateVideo(Path(path), frames) as video:
        if video.duration / hop > MOST_PARTS:
            raise UserError(f"{path}: {video.duration:.0f} s every {hop:g} s are too many parts: at most {MOST_PARTS}")
        parts = window_starts(video.duration, seconds, hop)
        requests = [_part_indices(video, frames, count, start, seconds) for start in parts]
        with suppress(BrokenOff):
            for start, clip in zip(parts, video.clips(requests), strict=True):
                (view,) = view_crops(clip, size, 1)
                yield start, min(start + seconds, video.duration), view.transpose(0, 1)


def read_part(
    path: Path | str, frames: Frames, count: int, size: int, start: float | None, seconds: float
) -> tuple[Tensor, np.ndarray]:
    """The centre view (3, T, S, S) uint8 of `seconds` from `start` on, and each frame's time (T,) in seconds.

    With `start` None it is the view of a test with one view: the middle of the video.

    Raises:
        UserError: no video, one that cannot be decoded, or one that ends before `start`.
    """
    with video_errors(path), ConstantRateVideo(Path(path), frames) as video:
        if start is not None and not 0 <= start < video.duration:
            raise UserError(f"{path}: nothing at {start:g} s: the video has {video.duration:.1f} s")
        if start is None:
            (indices,) = view_indices(frames.model_copy(update={"views": Views()}), video.length, count)
        else:
            indices = _part_indices(video, frames, count, start, seconds)
        (clip,) = video.clips([indices])
        (view,) = view_crops(clip, size, 1)
        return view.transpose(0, 1), indices / float(video.rate)


def window_starts(shown: float, seconds: float, hop: float) -> list[float]:
    """Seconds at which parts of a video of `shown` seconds start; with hop <= seconds they cover it."""
    room = max(shown - seconds, 0.0)
    count = math.floor(room / hop + 1e-9) + 1
    starts = [i * hop for i in range(count)]
    return [*starts, room] if room - starts[-1] > min(hop, seconds) * 1e-6 else starts


def _part_indices(video: ConstantRateVideo, frames: Frames, count: int, start: float, seconds: float) -> np.ndarray:
    """Frame indices of the one view of a part, as if the part were a video."""
    first = min(round(start * video.rate), video.length - 1)
    length = min(max(round(seconds * video.rate), 1), video.length - first)
    (indices,) = view_indices(frames.model_copy(update={"views": Views()}), length, count)
    return first + indices
