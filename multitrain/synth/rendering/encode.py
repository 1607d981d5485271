"""Reproducible video encoding: frames to the bytes of a file."""

import io
from fractions import Fraction
from typing import cast

import av
import numpy as np

__all__ = ["encode"]

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm"}
CODECS = {
    "libx264": {"preset": "ultrafast"},  # slower presets look ahead, and then bytes differ between runs
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "0"},  # the default is 25 times slower
}


def encode(frames: np.ndarray, fps: float, suffix: str, crf: int = 20) -> bytes:
    """Encode frames (T, H, W, 3) uint8: VP9 in .webm, H.264 in .mp4 and .mkv. H and W must be even."""
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    file = io.BytesIO()
    with av.open(file, "w", format=FORMATS[suffix], options={"fflags": "+bitexact"}) as container:
        options = CODECS[codec] | {"crf": str(crf)}
        stream = cast(
            av.VideoStream, container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        )
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # also makes the result independent of the machine
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
