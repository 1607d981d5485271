"""Decoding of a publisher's video: frames with their times, also from damaged files and wrong headers."""

import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.error import ArgumentError, FFmpegError

from multitrain.config.scale import Limits
from multitrain.data.damage import decoder_errors
from multitrain.datasets.transcode.refused import STILL, OverLimit, TooShort, Undecodable

__all__ = ["DEFAULT", "OPENING", "TOLERANCE", "Video", "rotation"]

# Streams without a container, and so without times and duration: their frames have the rate of the header.
RAW = {"h264", "hevc", "mjpeg", "mpegvideo"}
# Containers of video only: a playlist or a script instead of a video could make libav open other files.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,gif,yuv4mpegpipe,dv,mxf,rm,nut"
OPENING = {"format_whitelist": ",".join([CONTAINERS, *sorted(RAW)]), "protocol_whitelist": "file"}
TOLERANCE = Fraction(1, 1000)  # seconds: some containers keep times in milliseconds
FASTEST = 240  # frames a second; a higher average comes from broken timestamps
DEFAULT = Limits()
MOST_PIXELS = 2**31 - 1  # libav's own limit
MOST_ERRORS = 100  # exceptions in a row, other than libav's own, after which reading ends
CUT = Fraction(1, 2)  # seconds by which the packets of a whole file may be shorter than its header
EXACT = {"mp4", "matroska"}  # containers whose headers have the length of the streams; of others it is estimated
AGREEMENT = 0.01  # relative difference up to which the header's rate is preferred to that of the packets


class Video:
    """One video stream, read in order of time. Use it in a `with` block."""

    def __init__(self, source: Path | BinaryIO, limits: Limits = DEFAULT):
        self._source = source
        self._limits = limits

        self.decoded = 0  # frames so far
        self.last_error = ""  # of the decoder
        self.missing = Fraction(0)  # seconds of the video that the file lacks, known after `ends`
        self._open()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Undecodable), decoder_errors(Undecodable):
            self._container.close()

    def _reopen(self) -> None:
        """Open the file again: seeking back is what damaged files do worst."""
        self.__exit__()
        self._open()

    def _open(self) -> None:
        file: str | BinaryIO
        if isinstance(self._source, Path):
            file = str(self._source.absolute())
        else:
            file = self._source
            file.seek(0)
        self._begun = False  # whether packets were read
        try:
            with decoder_errors(Undecodable):
                self._container = av.open(file, "r", options=OPENING, metadata_errors="replace")
        except Undecodable as error:
            if isinstance(error.__cause__, ArgumentError):  # known to libav, but none of OPENING
                raise Undecodable("a picture, sound or another kind of file that is not read as a video") from None
            raise
        try:
            with decoder_errors(Undecodable):
                self._read_header()
            self._check_header()
        except BaseException:
            self.__exit__()
            raise

    def _read_header(self) -> None:
        """Read rate, size, duration and time base from the header."""
        stream = cast(av.VideoStream | None, self._container.streams.best("video"))
        if stream is None or stream.codec_context is None:
            raise Undecodable("no video stream that this build can decode")
        self._stream, context = stream, stream.codec_context
        context.thread_type, context.thread_count = "NONE", 1
        self._zero = Fraction(self._container.start_time or 0, av.time_base)
        self._seconds = Fraction(self._container.duration or 0, av.time_base)
        self.seekable = self._container.format.name not in RAW
        # The raw stream's own, where libav's 25 stands for unknown.
        rates: list[Fraction | None] = [] if self.seekable else [context.framerate]
        rates += [stream.average_rate, stream.guessed_rate]
        # Frames a second as the header has them, or None.
        self.header_rate: Fraction | None = next((rate for rate in rates if rate and 0 < rate <= FASTEST), None)
        self.aspect = stream.sample_aspect_ratio or Fraction(1)  # width of a pixel divided by its height
        self._base = stream.time_base or Fraction(0)
        self._size = context.width, context.height

    def _check_header(self) -> None:
        """Refuse a header over the limits; the decoder gets the limit for frames that differ from the header."""
        (width, height), most = self._size, self._limits.pixels
        if not self._base or self._base < 0 or self.aspect < 0:
            raise Undecodable(f"a time base of {self._base or None}, pixels of {self.aspect}")
        if width * height > most:
            raise OverLimit(f"{width}x{height}: a frame has more than {most} pixels")
        if self._seconds > self._limits.minutes * 60:
            raise OverLimit(f"its header says {float(self._seconds):.0f} s: {self._limit_text}")
        with decoder_errors(Undecodable):
            self._stream.codec_context.options = {"max_pixels": str(min(most, MOST_PIXELS))}

    @property
    def _limit_text(self) -> str:
        return f"longer than {self._limits.minutes:g} minutes"

    def average_rate(self) -> Fraction:
        """Frames a second over the whole file. Reads all packets: headers may be wrong; read frames after it."""
        count, first, last = 0, math.inf, -math.inf
        for packet in self._packets():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None:
                count, first, last = count + 1, min(first, time), max(last, time)
        self._reopen()
        header = self.header_rate
        if count < 2 or first == last:
            if header is None:
                raise TooShort(STILL) if count else Undecodable(self.last_error or "no frame in the file")
            return header
        measured = (count - 1) / (Fraction(last - first) * self._base)
        if header is not None and abs(header / measured - 1) < AGREEMENT:
            return header
        return min(measured.limit_denominator(1001), Fraction(FASTEST)) or Fraction(1, 1001)

    def ends(self) -> list[Fraction]:
        """Seconds at which the first frame, the last but one and the last are shown, by the times of the packets.

        Fewer where there are fewer frames. Reads all packets and decodes none; start reading frames after it. Sets
        `missing` where the packets end before the header's time.
        """
        stamps, reached = array("q"), 0
        for packet in self._packets():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None and not packet.is_discard:
                stamps.append(time)
                reached = max(reached, time + (packet.duration or 0))
        promised = self._promised()
        self._reopen()
        absent = promised - (reached * self._base - self._zero) if promised and stamps else Fraction(0)
        self.missing = absent if absent > CUT else Fraction(0)
        rising = sorted(set(stamps))
        return [stamp * self._base - self._zero for stamp in (rising[:1] + rising[1:][-2:])]

    def _promised(self) -> Fraction | None:
        """Seconds at which the video ends by the header; None where the header lacks or estimates it."""
        kinds, stream = set(self._container.format.name.split(",")), self._stream
        if not self._seconds or not kinds & EXACT:
            return None
        # FFmpeg writes the end time into a Matroska file, others the duration. The smaller of the two is taken: time
        # need not begin at 0.
        whole = self._seconds - (max(self._zero, Fraction(0)) if "matroska" in kinds else 0)
        if stream.duration:
            return ((stream.start_time or 0) + stream.duration) * self._base - self._zero
        return whole if len(self._container.streams) == 1 else None

    def stamps(self) -> tuple[list[int | None], Fraction]:
        """Times of all packets and the seconds that one unit of them takes; raises where the file breaks off."""
        stamps = [packet.pts for packet in self._packets() if not packet.is_discard]
        if self.last_error:
            raise Undecodable(self.last_error)
        return stamps, self._base

    def frames(self, start: Fraction = Fraction(0)) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Frames with their seconds from the file's start, times strictly rising, from `start` or earlier on."""
        if start > 0 and self.seekable and self._seek(start):
            decoded = self._decode()
            first = next(decoded, None)
            if first is not None and first[0] <= start + TOLERANCE:
                yield from chain([first], decoded)
                return
            self._reopen()  # the index led past the start: read from the beginning
        elif self._begun:
            self._reopen()
        yield from self._decode()

    def _seek(self, start: Fraction) -> bool:
        place = int((start + self._zero) / self._base)
        try:
            with decoder_errors(Undecodable):
                self._container.seek(place, stream=self._stream, backward=True)
        except Undecodable as error:
            self.last_error = str(error)
            self._reopen()
            return False
        return True

    def _packets(self) -> Iterator[av.Packet]:
        """Packets up to the end or to the damage, without the empty one that ends a stream."""
        self._begun = True
        packets, errors = self._container.demux(self._stream), 0
        left = math.ceil(self._limits.minutes * 60 * FASTEST)  # a file may grow while it is read
        while True:
            try:
                with decoder_errors(Undecodable):
                    packet = next(packets, None)
            except Undecodable as error:
                self.last_error = str(error)
                errors += 1
                if isinstance(error.__cause__, FFmpegError) or errors == MOST_ERRORS:
                    return
                packets = self._container.demux(self._stream)  # PyAV stumbled, where libav may go on
                continue
            if packet is None:
                return
            errors, left = (0 if packet.size else errors), left - 1
            if not left:
                raise OverLimit(f"more frames than {self._limits.minutes:g} minutes of {FASTEST} a second have")
            if packet.size:
                yield packet

    def _decode(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Decode all packets; a damaged packet costs its own frames only."""
        last = None
        for packet in chain(self._packets(), [None]):  # None: flush the decoder
            try:
                with decoder_errors(Undecodable):
                    frames = self._stream.decode(packet)
                    times = [(frame, *self._stamp(frame)) for frame in frames]
            except Undecodable as error:
                self.last_error = str(error)
                continue
            for frame, stamp, duration in times:
                time = stamp if stamp is not None else Fraction(0) if last is None else last + duration
                if last is not None and time <= last:
                    continue
                if time > self._limits.minutes * 60:
                    raise OverLimit(f"a frame at {float(time):.0f} s: {self._limit_text}")
                last = time
                self.decoded += 1
                yield time, frame

    def _stamp(self, frame: av.VideoFrame) -> tuple[Fraction | None, Fraction]:
        """Time and duration of a frame in seconds; the time is None where the file has none."""
        stamp, base = (frame.dts if frame.pts is None else frame.pts), frame.time_base or self._base
        duration = (frame.duration or 0) * base
        if not 0 < duration <= 1:
            duration = 1 / (self.header_rate or Fraction(30))
        return (None if stamp is None else stamp * base - self._zero), duration


def rotation(frame: av.VideoFrame) -> int:
    """Quarter turns, counter-clockwise, that show the frame upright."""
    with suppress(OverflowError, ValueError, Undecodable), decoder_errors(Undecodable):  # a broken matrix has no angle
        return round(frame.rotation / 90) % 4
    return 0
