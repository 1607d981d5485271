"""Transcoding of part of a video to a clip: short side fixed, constant rate, laid out for the sampler's stride.

Reading every `stride`-th frame of a prepared clip costs only those frames: the frames between are B-frames that no
frame refers to, and a decoder may drop them. The last frame before a keyframe is an exception: groups are closed, so it
is a P-frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.config.scale import Limits, Transcode
from multitrain.data.damage import decoder_errors, words
from multitrain.datasets.transcode.refused import STILL, Outside, TooShort, Undecodable
from multitrain.datasets.transcode.source_video import DEFAULT, TOLERANCE, Video, rotation

__all__ = ["Clip", "to_square_pixels", "transcode"]

Frame = TypeVar("Frame")
WIDEST = 8192  # pixels of a clip's longer side; more comes from broken headers, and the encoder refuses it
LONGEST = 600  # seconds of a clip; a jump in the timestamps would be filled with copies of one frame


@dataclass(frozen=True)
class Clip:
    """A prepared clip; frame i is shown at i / fps seconds."""

    frames: int
    fps: float
    width: int
    height: int


def transcode(
    source: Path | BinaryIO,
    target: Path,
    settings: Transcode,
    start: float | None = None,
    end: float | None = None,
    limits: Limits = DEFAULT,
) -> Clip:
    """Write the source's frames with start <= time < end (seconds; None: all) to `target`, whole or not at all.

    The clip's time 0 is its first frame. `limits.pixels` and `limits.minutes` bound the source.
    Raises a `Refused` where no clip can be made and a UserError where the target cannot be written.
    """
    begin = Fraction(0) if start is None else Fraction(start)
    stop = None if end is None else Fraction(end)
    if stop is not None and stop <= max(begin, Fraction(0)):
        raise Outside(f"from {start} to {end} s")
    with Video(source, limits) as video:
        rate = video.average_rate() if settings.fps is None else Fraction(settings.fps).limit_denominator(1001)
        timed = _TimeRange(video, begin, stop)
        chosen = resample(iter(timed), rate, min(1 / (video.header_rate or rate), Fraction(1)))
        frames = to_square_pixels(chosen, video.aspect, settings.short_side)
        with atomic(target) as temporary:
            clip = _encode(temporary, frames, settings, rate)
            if timed.count < 2 or clip.frames < 2:
                raise timed.refusal()
    return clip


class _TimeRange:
    """The frames of an interval of a video, counted."""

    def __init__(self, video: Video, start: Fraction, end: Fraction | None):
        self.video, self.start, self.end = video, start, end
        self.count = 0

    def __iter__(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        first = None
        for time, frame in self.video.frames(self.start):
            if time < self.start - TOLERANCE:
                continue
            if self.end is not None and time >= self.end - TOLERANCE:
                break
            first = time if first is None else first
            if time - first > LONGEST:
                raise Undecodable(f"times run from {float(first):.2f} to {float(time):.2f} s in one clip")
            self.count += 1
            yield time, frame

    def refusal(self) -> Exception:
        """The error for fewer than two frames."""
        if not self.video.decoded:
            return Undecodable(self.video.last_error or "no frame in the file")
        if not self.count:
            return Outside(f"no frame from {float(self.start):.2f} s on")
        return TooShort(STILL if self.video.decoded == 1 else f"frames: {self.count}")


def resample(timed: Iterator[tuple[Fraction, Frame]], rate: Fraction, interval: Fraction) -> Iterator[Frame]:
    """Of frames with rising times, yield for i = 0, 1, ... the one nearest to (time of the first) + i / rate.

    The last frame lasts `interval` seconds: n frames at the same rate give those n frames. Of two equally near frames
    the earlier is taken.
    """
    first = Fraction(0)  # the time of the first frame, once there is one
    held: tuple[Fraction, Frame] | None = None  # the last frame so far
    index = 0
    for time, frame in timed:
        if held is None:
            first = time
        else:
            middle = (held[0] + time) / 2 - first
            while index <= middle * rate:
                yield held[1]
                index += 1
        held = time, frame
    if held is None:
        return
    while index < round((held[0] - first + interval) * rate):
        yield held[1]
        index += 1


def prepared_size(width: int, height: int, aspect: Fraction, short_side: int) -> tuple[int, int]:
    """Even width and height in square pixels, the shorter at most `short_side`; nothing is enlarged."""
    wide = width * aspect
    scale = min(Fraction(1), short_side / min(wide, Fraction(height)))
    return max(2, int(wide * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def to_square_pixels(frames: Iterator[av.VideoFrame], aspect: Fraction, short_side: int) -> Iterator[av.VideoFrame]:
    """Frames as upright yuv420p of one size and one colour space, in square pixels."""
    reformatter = VideoReformatter()
    size: tuple[int, int] | None = None
    source: av.VideoFrame | None = None  # of `result`
    for frame in frames:
        if frame is not source:
            size = size or prepared_size(frame.width, frame.height, aspect, short_side)
            if max(size) > WIDEST:
                raise Undecodable(
                    f"{frame.width}x{frame.height}, pixels of {aspect}: the clip would be {size[0]}x{size[1]}"
                )
            with decoder_errors(Undecodable):
                result = reformatter.reformat(
                    frame,
                    *size,
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU601,
                    interpolation=Interpolation.BICUBIC,
                    dst_color_range=ColorRange.MPEG,
                    threads=1,
                )
            source, result = frame, _upright(result, rotation(frame))
        yield result


def _upright(frame: av.VideoFrame, turns: int) -> av.VideoFrame:
    """The frame turned counter-clockwise, without the source's picture type, which the encoder would copy."""
    frame.pict_type = PictureType.NONE
    if not turns:
        return frame
    width, height = frame.width, frame.height
    packed = frame.to_ndarray().reshape(-1)  # (H * W * 3 / 2,): Y, then U and V of half the size
    edges = [0, width * height, width * height * 5 // 4, width * height * 3 // 2]
    planes = [packed[a:b] for a, b in pairwise(edges)]
    shapes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    turned = [np.rot90(plane.reshape(shape), turns) for plane, shape in zip(planes, shapes, strict=True)]
    height, width = turned[0].shape
    whole = np.concatenate([plane.reshape(-1) for plane in turned]).reshape(height * 3 // 2, width)
    return av.VideoFrame.from_ndarray(whole, "yuv420p")


def _encode(path: Path, frames: Iterator[av.VideoFrame], settings: Transcode, rate: Fraction) -> Clip:
    """Write frames as H.264 in MP4; a clip of no frames is an empty file."""
    count, stream = 0, None
    try:
        with av.open(str(path), "w", format="mp4") as container:
            for frame in frames:
                stream = stream or _stream(container, frame, settings, rate)
                frame.pts, frame.time_base = count, 1 / rate
                container.mux(stream.encode(frame))
                count += 1
            if stream is None:
                return Clip(0, float(rate), 0, 0)
            container.mux(stream.encode(None))
    except FFmpegError as error:  # reading errors are raised as Refused before
        raise UserError(f"{path.parent}: a clip could not be written: {words(error)}") from None
    return Clip(count, float(rate), stream.width, stream.height)


def _stream(
    container: av.container.OutputContainer, frame: av.VideoFrame, settings: Transcode, rate: Fraction
) -> av.VideoStream:
    layout = f"keyint={settings.keyint}:min-keyint={settings.keyint}:scenecut=0:open-gop=0"
    layout += f":bframes={settings.stride - 1}:b-adapt=0:b-pyramid=none:threads=1:lookahead-threads=1"
    layout += ":cabac=0"  # an eighth more bytes, a third less time to decode
    layout += ":mbtree=0"  # with it the same frames do not always give the same bytes
    options = {"crf": str(settings.crf), "preset": settings.preset, "x264-params": layout}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    stream.codec_context.time_base = 1 / rate
    stream.codec_context.thread_count = 1  # the same bytes anywhere; the process pool keeps the other cores busy
    return stream
