"""Frames of a video of any size, rate and rotation, at the times and in the size that preparation would give them."""

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
from multitrain.datasets.transcode.encode_clip import squared
from multitrain.datasets.transcode.refused import STILL, Beyond, NoFile, Refused, TooShort, Undecodable
from multitrain.datasets.transcode.source_video import DEFAULT, TOLERANCE, Video, rotation
from multitrain.model.files.metadata import Frames

__all__ = ["Film", "look", "read_views", "read_windows", "readable"]

FAR = Fraction(5)  # seconds between two wanted frames that are rather sought than decoded
MOST_PARTS = 100_000  # of one video


class BrokenOff(Undecodable):
    """The decoder gave nothing where packets are; `time` is the last frame's."""

    def __init__(self, time: Fraction, detail: str):
        super().__init__(f"broken off at {float(time):.2f} s ({detail})")
        self.time = time


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Makes a UserError of what goes wrong with one video."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Refused as error:
        cure = f": {error.cure}" if error.cure else ""
        raise UserError(f"{path}: no video that can be used ({error}){cure}") from None
    except MemoryError:
        raise UserError(f"{path}: not enough memory for its frames: see to it and start again") from None
    except (ArithmeticError, ValueError) as error:  # how absurd times and sizes show
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: makes no sense as a video ({detail}): see whether a player shows it") from None


class Film:
    """A video as the constant-rate frames 0 .. length - 1 a head was trained on. Use it in a `with` block.

    Nothing is written and no more frames are held than the clips asked for need.
    """

    def __init__(self, path: Path, frames: Frames):
        """Raises a `Refused` where the file is no video of two frames."""
        if kind := special(path):
            raise NoFile(f"{kind}, not a regular file")
        with path.open("rb") as stream:  # libav's words for what the system refuses say less
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
            if len(ends) < 2:  # packets without times, which decoding makes up
                ends = _decoded_ends(video)
            if len(ends) < 2:
                raise TooShort(STILL) if ends else Undecodable(video.trouble or "no frame in the file")
            self._first, self._last = ends[0], ends[-1]
            if self._last - self._first > DEFAULT.minutes * 60:
                raise Beyond(
                    f"frames over {float(self._last - self._first):.0f} s: longer than {DEFAULT.minutes:g} minutes"
                )
            self.length = resampled(ends, self.rate, self._interval)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._video.__exit__()

    @property
    def shown(self) -> float:
        """Seconds that the frames in the file take, whatever rate they are brought to."""
        return float(self._last - self._first + self._interval)

    @property
    def whole(self) -> float:
        """Seconds that the video takes by its header, where the file ends before that; else the same."""
        return self.shown + float(self._video.missing)

    def shorten(self, broken: BrokenOff) -> bool:
        """Leave out the end that the decoder gave nothing of; False where less than two frames are left."""
        self._last = broken.time
        self.length = resampled([self._first, self._last], self.rate, self._interval)
        return self._last > self._first and self.length >= 2

    def clips(self, requests: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """Frames (T, 3, H, W) uint8 of each list of indices, as soon as the last of them is decoded.

        One pass where the first indices of the lists rise.
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
        return map(_picture, squared(nearest, self._video.aspect, short_side))

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
                    raise Undecodable(self._video.trouble or "no frame in the file")
            while following is not None and (held[0] + following[0]) / 2 < time:
                held, following = following, next(coming, None)
            if following is None and held[0] < self._last - TOLERANCE and time > held[0] + self._interval:
                raise BrokenOff(held[0], self._video.trouble or "no more frames")
            yield held[1]


def _picture(frame: av.VideoFrame) -> np.ndarray:
    with decoder_errors(Undecodable):
        return to_rgb(frame)


def resampled(ends: Sequence[Fraction], rate: Fraction, interval: Fraction) -> int:
    """How many frames `resample` makes of frames whose first and last two times are in `ends`."""
    middle = (ends[-2] + ends[-1]) / 2 - ends[0]
    return max(math.floor(middle * rate) + 1, round((ends[-1] - ends[0] + interval) * rate))


def _decoded_ends(video: Video) -> list[Fraction]:
    """The same as `Video.ends`, by decoding all of it."""
    ends: list[Fraction] = []
    for time, _ in video.frames():
        ends = [*ends[:1], *ends[1:][-1:], time]
    return ends


def read_views(path: Path | str, frames: Frames, count: int, size: int, name: str | None = None) -> Tensor:
    """All test views (V, 3, T, S, S) uint8 of a video: temporal views times crops, in the order of evaluation.

    A file that breaks off is taken as far as it goes; `look` says how far. Errors call the video `name`, without it by
    its path.

    Raises:
        UserError: no video, or one that cannot be decoded.
    """
    return look(path, frames, count, size, name)[0]


def look(
    path: Path | str, frames: Frames, count: int, size: int, name: str | None = None
) -> tuple[Tensor, float | None]:
    """The same, and the seconds up to which a file that breaks off could be read; None of a whole one."""
    with readable(name or path), Film(Path(path), frames) as film:
        try:
            views = _views(film, frames, count, size)
            return views, film.shown if film.whole > film.shown else None
        except BrokenOff as broken:
            if not film.shorten(broken):
                raise
            return _views(film, frames, count, size), film.shown


def _views(film: Film, frames: Frames, count: int, size: int) -> Tensor:
    requests = view_indices(frames, film.length, count)
    crops = [crop for clip in film.clips(requests) for crop in view_crops(clip, size, frames.views.spatial)]
    return torch.stack([crop.transpose(0, 1) for crop in crops])


def read_windows(
    path: Path | str, frames: Frames, count: int, size: int, seconds: float, hop: float
) -> Iterator[tuple[float, float, Tensor]]:
    """(start, end, clip (3, T, S, S) uint8) of parts of a video in order of time, the centre crop of each.

    The parts start every `hop` seconds; a last one ends with the video. They depend on its length alone, so that other
    frames of the same video give the same parts. A file that breaks off ends there.

    Raises:
        UserError: no video, or one that cannot be decoded.
    """
    with readable(path), Film(Path(path), frames) as film:
        if film.shown / hop > MOST_PARTS:
            raise UserError(f"{path}: {film.shown:.0f} s every {hop:g} s are too many parts: at most {MOST_PARTS}")
        parts = window_starts(film.shown, seconds, hop)
        requests = [_part_indices(film, frames, count, start, seconds) for start in parts]
        with suppress(BrokenOff):
            for start, clip in zip(parts, film.clips(requests), strict=True):
                (view,) = view_crops(clip, size, 1)
                yield start, min(start + seconds, film.shown), view.transpose(0, 1)


def window_starts(shown: float, seconds: float, hop: float) -> list[float]:
    """Seconds at which parts of a video of `shown` seconds start; all of it is in one of them where hop <= seconds."""
    room = max(shown - seconds, 0.0)
    count = math.floor(room / hop + 1e-9) + 1
    starts = [i * hop for i in range(count)]
    return [*starts, room] if room - starts[-1] > min(hop, seconds) * 1e-6 else starts


def _part_indices(film: Film, frames: Frames, count: int, start: float, seconds: float) -> np.ndarray:
    """Frame indices of the one view of a part, as if the part were a video."""
    first = min(round(start * film.rate), film.length - 1)
    length = min(max(round(seconds * film.rate), 1), film.length - first)
    (indices,) = view_indices(frames.model_copy(update={"views": Views()}), length, count)
    return first + indices
