"""Reading a publisher's video: frames with their times, whatever the container gets wrong."""

import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
from av.error import FFmpegError

from multitrain.config import Limits

# Nothing but containers of video: a playlist or a script in a video's place could make libav open other files.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg"
TOLERANCE = Fraction(1, 1000)  # seconds: some containers keep times in milliseconds
FASTEST = 240  # frames a second; a higher average comes from broken timestamps
DEFAULT = Limits()
MOST_PIXELS = 2**31 - 1  # libav's own limit
CUT = Fraction(1, 2)  # seconds that the packets of a whole file may lack to what its header says
EXACT = {"mp4", "matroska"}  # containers whose headers say how long their streams are, where others are estimated
AGREEMENT = 0.01  # the header's rate is taken when the packets' times say the same within this part


class Refused(Exception):
    """A clip that cannot be made; `reason` is one of the manifest's REASONS."""

    reason = "undecodable"


class Undecodable(Refused):
    """No frame could be decoded, or what was decoded makes no video."""


class Beyond(Undecodable):
    """The video is over a limit; under another limit it might not be."""


class TooShort(Refused):
    """Fewer than two frames lie in the wanted part."""

    reason = "too short"


class Outside(Refused):
    """The wanted part lies outside the video."""

    reason = "outside"


def message(error: FFmpegError) -> str:
    """libav's own words, without the path that PyAV appends, so that reports do not depend on temporary names."""
    return error.strerror or type(error).__name__


class Video:
    """One video stream, read in order of time. Use it in a `with` block."""

    def __init__(self, source: Path | BinaryIO, limits: Limits = DEFAULT):
        self._source = source
        self._limits = limits
        self._container = None
        self.decoded = 0  # frames so far
        self.trouble = ""  # the decoder's last complaint
        self.missing = Fraction(0)  # seconds of the pictures that are not in the file, known after `ends`
        self._open()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _open(self) -> None:
        """Open the file, again if need be: seeking back is what damaged files do worst."""
        if self._container is not None:
            self._container.close()
        source = self._source
        if isinstance(source, Path):
            source = str(source.absolute())
        else:
            source.seek(0)
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        try:
            self._container = av.open(source, options=options, metadata_errors="replace")
        except FFmpegError as error:
            raise Undecodable(message(error)) from None
        self._stream = self._container.streams.best("video")
        if self._stream is None or self._stream.codec_context is None:
            self._container.close()
            raise Undecodable("no video stream that this build can decode")
        self._stream.codec_context.thread_type = "NONE"
        self._stream.codec_context.thread_count = 1
        self._zero = Fraction(self._container.start_time or 0, av.time_base)
        self._check_header()

    def _check_header(self) -> None:
        """Refuse what the header says is beyond the limits; the decoder is told to refuse what the header hides."""
        context, most = self._stream.codec_context, self._limits.pixels
        if context.width * context.height > most:
            self._refuse(f"{context.width}x{context.height}: a frame has more than {most} pixels")
        seconds = (self._container.duration or 0) / av.time_base
        if seconds > self._limits.minutes * 60:
            self._refuse(f"its header says {seconds:.0f} s: longer than {self._limits.minutes:g} minutes")
        context.options = {"max_pixels": str(min(most, MOST_PIXELS))}

    def _refuse(self, detail: str) -> None:
        self._container.close()
        raise Beyond(detail)

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel divided by its height."""
        return self._stream.sample_aspect_ratio or Fraction(1)

    @property
    def header_rate(self) -> Fraction | None:
        """Frames a second as the header has them, or None."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return rate if rate and 0 < rate <= FASTEST else None

    def average_rate(self) -> Fraction:
        """Frames a second over the whole file. Reads all packets, for headers guess; start reading frames after it."""
        count, first, last = 0, math.inf, -math.inf
        for packet in self._packets():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None:
                count, first, last = count + 1, min(first, time), max(last, time)
        self._open()
        header = self.header_rate
        if count < 2 or first == last:
            if header is None:
                raise TooShort("one frame, or none")
            return header
        measured = (count - 1) / ((last - first) * self._stream.time_base)
        if header is not None and abs(header / measured - 1) < AGREEMENT:
            return header
        return min(measured.limit_denominator(1001), Fraction(FASTEST)) or Fraction(1, 1001)

    def ends(self) -> list[Fraction]:
        """Seconds at which the first frame, the last but one and the last are shown, as the packets say.

        Fewer where there are fewer frames. Reads all packets and decodes none; start reading frames after it. Sets
        `missing` where the packets end before the header says.
        """
        stamps, reached = array("q"), 0
        for packet in self._packets():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None and not packet.is_discard:
                stamps.append(time)
                reached = max(reached, time + (packet.duration or 0))
        base, promised = self._stream.time_base, self._promised()
        self._open()
        lacking = promised - (reached * base - self._zero) if promised and stamps else Fraction(0)
        self.missing = lacking if lacking > CUT else Fraction(0)
        rising = sorted(set(stamps))
        return [stamp * base - self._zero for stamp in (rising[:1] + rising[1:][-2:])]

    def _promised(self) -> Fraction | None:
        """Seconds at which the pictures end by the header; None where it does not say, or guesses."""
        container, stream = self._container, self._stream
        if not container.duration or not set(container.format.name.split(",")) & EXACT:
            return None
        if stream.duration:
            return ((stream.start_time or 0) + stream.duration) * stream.time_base - self._zero
        return Fraction(container.duration, av.time_base) if len(container.streams) == 1 else None

    def frames(self, start: Fraction = Fraction(0)) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Frames with their seconds from the file's start, times strictly rising, from `start` or earlier on."""
        if start > 0 and self._seek(start):
            decoded = self._decode()
            first = next(decoded, None)
            if first is not None and first[0] <= start + TOLERANCE:
                yield from chain([first], decoded)
                return
            self._open()  # the index led past the place: read from the beginning
        yield from self._decode()

    def _seek(self, start: Fraction) -> bool:
        place = int((start + self._zero) / self._stream.time_base)
        try:
            self._container.seek(place, stream=self._stream, backward=True)
        except FFmpegError as error:
            self.trouble = message(error)
            self._open()
            return False
        return True

    def _packets(self) -> Iterator[av.Packet]:
        """Packets up to the end or to where the file breaks off, without the empty one that ends a stream."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError as error:
                self.trouble = message(error)
                return
            if packet.size:
                yield packet

    def _decode(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Decode what can be decoded: a damaged packet costs its own frames only."""
        last = None
        for packet in chain(self._packets(), [None]):  # None: give out what the decoder still holds
            frames = []
            try:
                frames = self._stream.decode(packet)
            except FFmpegError as error:
                self.trouble = message(error)
            for frame in frames:
                time = self._time(frame, last)
                if last is not None and time <= last:
                    continue
                if time > self._limits.minutes * 60:
                    raise Beyond(f"a frame at {float(time):.0f} s: longer than {self._limits.minutes:g} minutes")
                last = time
                self.decoded += 1
                yield time, frame

    def _time(self, frame: av.VideoFrame, last: Fraction | None) -> Fraction:
        stamp = frame.dts if frame.pts is None else frame.pts
        if stamp is None:
            return Fraction(0) if last is None else last + 1 / (self.header_rate or 30)
        return stamp * (frame.time_base or self._stream.time_base) - self._zero


def rotation(frame: av.VideoFrame) -> int:
    """Quarter turns, counter-clockwise, that show the frame upright."""
    with suppress(OverflowError, ValueError):  # a broken matrix has no angle
        return round(frame.rotation / 90) % 4
    return 0
