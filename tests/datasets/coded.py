"""Videos whose frames carry their index in brightness, so that every off-by-one shows; and how to read it back."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

LEVELS, STEP, DARKEST = 12, 18, 30


def picture(index: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3): the left half tells index modulo LEVELS, the right half the rest."""
    frame = np.empty((height, width, 3), np.uint8)
    frame[:, : width // 2] = DARKEST + STEP * (index % LEVELS)
    frame[:, width // 2 :] = DARKEST + STEP * (index // LEVELS)
    return frame


def code(frame: np.ndarray) -> int:
    """The index a picture (H, W, 3) tells."""
    height, width = frame.shape[:2]
    rows = slice(height // 4, height - height // 4)
    low, high = (
        round((frame[rows, int(width * a) : int(width * b)].mean() - DARKEST) / STEP)
        for a, b in [(0.1, 0.4), (0.6, 0.9)]
    )
    return low + LEVELS * high


def write_video(
    path: Path,
    count: int,
    rate: Fraction | int = 12,
    size: tuple[int, int] = (48, 32),
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    options: dict | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    audio: bool = False,
    paint=picture,
) -> Path:
    """`count` coded frames at `rate`, or at the given seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    base = Fraction(1, 1000) if times else 1 / Fraction(rate)
    fast = {"libx264": {"preset": "ultrafast", "crf": "10"}, "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options={**fast.get(codec, {}), **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = 1
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        sound = container.add_stream("aac", rate=8000, layout="mono") if audio else None
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(paint(index, *size), "rgb24")
            frame.pts, frame.time_base = (round(times[index] * 1000) if times else index), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
            silence.sample_rate = 8000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


def read_all(path: Path, skip: str = "DEFAULT") -> list[tuple[Fraction, np.ndarray]]:
    """Seconds and picture of every frame that a plain decoder gives."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = skip
        return [(frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]


def codes(path: Path) -> list[int]:
    """The indices a video's frames tell."""
    return [code(frame) for _, frame in read_all(path)]


def encoded_again(source: Path, target: Path, cut: int = 0, half: bool = False, mirrored: bool = False) -> Path:
    """The video with another codec and container, without its first frames, at half the size, or mirrored."""
    frames = [frame[:, ::-1] if mirrored else frame for _, frame in read_all(source)][cut:]
    height, width = (side // (4 if half else 2) * 2 for side in frames[0].shape[:2])

    def paint(index: int, width: int, height: int) -> np.ndarray:
        whole = av.VideoFrame.from_ndarray(np.ascontiguousarray(frames[index]), "rgb24")
        return whole.reformat(width, height).to_ndarray()

    options = {"crf": "28", "preset": "veryfast"}
    return write_video(target, len(frames), size=(width, height), options=options, paint=paint)
