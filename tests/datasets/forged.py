"""Videos made here, whole, odd or with other bytes than they should have."""

import io
import random
import struct
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIDE = 32
BRANDS = 32  # bytes at an MP4's start in which names of boxes stand for something else


def encode(
    container: str = "mp4",
    codec: str = "libx264",
    count: int = 12,
    rate: Fraction | int = 12,
    size: tuple[int, int] = (SIDE, SIDE),
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,  # in 1 / rate
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    rotation: int | None = None,
    noise: int = 0,  # makes the pictures large against the headers
) -> bytes:
    """A video with a moving edge."""
    base = 1 / Fraction(rate)
    fast = {"libx264": {"preset": "ultrafast"}, "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}}.get(codec, {})
    sink = tempfile.NamedTemporaryFile()  # noqa: SIM115  with the index first the muxer reads its file again
    with sink, av.open(sink.name, "w", format=container, options=muxing or {}) as output:
        stream = output.add_stream(codec, rate=Fraction(rate), options={**fast, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base, stream.codec_context.thread_count = base, 1
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for index in range(count):
            picture = np.full((size[1], size[0], 3), 60, np.uint8)
            picture[:, : (index + 1) * size[0] // count] = 200
            if noise:
                picture += np.random.default_rng(index).integers(0, noise, picture.shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = (index if times is None else times[index]), base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        output.close()
        return Path(sink.name).read_bytes()


def grown() -> bytes:
    """A WebM whose frames become larger than its header says."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="webm") as output:
        stream = output.add_stream("libvpx-vp9", rate=12)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for start, size in ((0, (SIDE, SIDE)), (12, (320, 240))):
            with av.open(io.BytesIO(encode("webm", "libvpx-vp9", size=size))) as part:
                for packet in part.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = packet.pts + start * 1000 // 12
                        packet.stream = stream
                        output.mux(packet)
    return sink.getvalue()


def sound(container: str = "mp4", cover: bool = False) -> bytes:
    """Sound without moving pictures, with or without the picture of a cover."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        image = output.add_stream("mjpeg", rate=1) if cover else None
        if image:
            image.width = image.height = SIDE
            image.pix_fmt, image.disposition = "yuvj420p", av.stream.Disposition.attached_pic
            image.codec_context.time_base = Fraction(1)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
        if image:
            frame = av.VideoFrame.from_ndarray(np.zeros((SIDE, SIDE, 3), np.uint8), "rgb24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = 0, Fraction(1)
            output.mux(image.encode(frame))
            output.mux(image.encode(None))
    return sink.getvalue()


def patched(content: bytes, box: bytes, offset: int, value: int, form: str = ">I") -> bytes:
    """The value written at `offset` bytes from the box's name."""
    place = content.index(box, BRANDS) + offset
    return content[:place] + struct.pack(form, value) + content[place + struct.calcsize(form) :]


def shaped(content: bytes, width: int, height: int) -> bytes:
    """An MP4 (index last) whose pixels are said to be `width` by `height`."""
    box = struct.pack(">I4sII", 16, b"pasp", width, height)
    for name in (b"avc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        place = content.index(name, BRANDS) - 4
        size = struct.unpack(">I", content[place : place + 4])[0]
        content = patched(content, name, -4, size + len(box))
        if name == b"avc1":
            content = content[: place + size] + box + content[place + size :]
    return content


def boxes(content: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Where the boxes of an MP4 begin, those inside others too."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", content[start : start + 8])
        if size < 8:
            return
        yield start
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"):
            yield from boxes(content, start + 8, start + size)
        start += size


def flipped(content: bytes, seed: int, count: int = 8) -> bytes:
    """Some bytes with other values, anywhere."""
    chance, damaged = random.Random(seed), bytearray(content)
    for place in chance.sample(range(len(damaged)), count):
        damaged[place] ^= chance.randrange(1, 256)
    return bytes(damaged)
