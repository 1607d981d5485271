"""Generated source videos for benchmarks, encoded as the publishers of the datasets do.

No real video is used. A scene is a background of 1/f noise, the spectrum of natural pictures, that a camera pans over
on a smooth path, with four soft-edged objects of other textures on paths of their own; another scene follows after a
cut at three fifths; every frame gets fresh grain. What the codecs make of it is printed as bits a second, to be
compared with real videos.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

GRAIN = 1.0  # standard deviation, of 255 levels
DETAIL = 70  # cycles a picture's height, beyond which detail fades: large videos are softer than their pixels allow
OBJECTS = 4


@dataclass(frozen=True)
class Kind:
    """Size, rate, length and codec of a source video."""

    name: str
    width: int
    height: int
    fps: int
    seconds: float
    codec: str = "libx264"
    suffix: str = ".mp4"
    dataset: str = "k400"  # of scale paper, whose settings prepare and sample it
    cut: tuple[float, float] | tuple[()] = ()  # seconds of the part that is prepared; empty: the whole

    @property
    def frames(self) -> int:
        return round(self.seconds * self.fps)


KINDS = (
    Kind("h264 340x256", 340, 256, 30, 10),
    Kind("h264 426x320", 426, 320, 30, 10),
    Kind("h264 1280x720", 1280, 720, 30, 10),
    Kind("h264 256x256 3 s", 256, 256, 30, 3, dataset="mit"),
    Kind("vp9 427x240 12 fps", 427, 240, 12, 4, "libvpx-vp9", ".webm", "ssv2"),
    Kind("h264 480x360, 10 s of 60", 480, 360, 30, 60, dataset="actnet", cut=(31.7, 41.7)),
)
# H.264: x264's own defaults, a keyframe every 250 frames or at a cut. VP9: constant quality at a usual speed.
OPTIONS = {
    "libx264": {"preset": "medium", "crf": "23"},
    "libvpx-vp9": {"crf": "40", "b": "0", "deadline": "good", "cpu-used": "4", "g": "128"},
}


def texture(height: int, width: int, rng: np.random.Generator, contrast: float, finest: float) -> np.ndarray:
    """(height, width) float32 of mean 0 and that standard deviation; amplitude falls as 1 / frequency.

    Beyond `finest` cycles a pixel it falls faster, as 1 / frequency cubed.
    """
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    frequency *= 1 + (frequency / finest) ** 2
    spectrum = np.exp(2j * np.pi * rng.random(frequency.shape)) / frequency
    picture = np.fft.irfft2(spectrum, (height, width))
    return (picture * (contrast / picture.std())).astype(np.float32)


def window(picture: np.ndarray, y: float, x: float, height: int, width: int) -> np.ndarray:
    """The (height, width) part at a place between pixels, by linear interpolation."""
    top, left = int(y), int(x)
    part = picture[top : top + height + 1, left : left + width + 1]
    part = part[:-1] + np.float32(y - top) * (part[1:] - part[:-1])
    return part[:, :-1] + np.float32(x - left) * (part[:, 1:] - part[:, :-1])


class Scene:
    """Planes Y, U and V of a moving scene; V's texture is U's, turned."""

    def __init__(self, height: int, width: int, rng: np.random.Generator):
        self.height, self.width = height, width
        self.room = height // 4  # how far the camera and the objects go
        self.phases = rng.uniform(0, 2 * np.pi, (OBJECTS + 1, 2))
        self.speeds = rng.uniform(0.15, 0.45, (OBJECTS + 1, 2))  # turns a second
        size = height // 3
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        self.mask = np.clip(4 * (1 - np.hypot(ramp[:, None], ramp[None])), 0, 1)
        self.back = [self._pair(height + self.room + 2, width + self.room + 2, rng)]
        self.objects = [self._pair(size, size, rng) for _ in range(OBJECTS)]
        self.homes = rng.uniform([0, 0], [height - size - self.room, width - size - self.room], (OBJECTS, 2))
        self.grain = rng.normal(0, GRAIN, (2 * height, 2 * width)).astype(np.float32)
        self.rng = rng

    def _pair(self, height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A texture for brightness and one for colour, of half the size."""
        finest = DETAIL / self.height
        return (
            texture(height, width, rng, 42, finest) + np.float32(rng.uniform(95, 150)),
            texture(height // 2, width // 2, rng, 12, finest) + np.float32(rng.uniform(112, 144)),
        )

    def _place(self, which: int, seconds: float) -> np.ndarray:
        """(y, x) within the room at that time."""
        return self.room * (0.5 + 0.5 * np.sin(self.phases[which] + 2 * np.pi * self.speeds[which] * seconds))

    def frame(self, seconds: float) -> np.ndarray:
        """(H * 3 / 2, W) uint8, planes of yuv420p one after another."""
        planes = []
        for scale, plane in ((1, 0), (2, 1)):
            y, x = self._place(OBJECTS, seconds) / scale
            picture = window(self.back[0][plane], y, x, self.height // scale, self.width // scale).copy()
            for which in range(OBJECTS):
                top, left = ((self.homes[which] + self._place(which, seconds)) / scale).astype(int)
                shown = self.objects[which][plane]
                mask = self.mask[::scale, ::scale][: shown.shape[0], : shown.shape[1]]
                part = picture[top : top + shown.shape[0], left : left + shown.shape[1]]
                part += mask * (shown - part)
            planes.append(picture)
        top, left = (int(self.rng.integers(limit)) for limit in (self.height, self.width))
        planes[0] += self.grain[top : top + self.height, left : left + self.width]
        chroma = planes[1]
        packed = np.concatenate([planes[0].ravel(), chroma.ravel(), chroma[::-1, ::-1].ravel()])
        return packed.clip(16, 240).astype(np.uint8).reshape(self.height * 3 // 2, self.width)


def frames(kind: Kind, seed: int) -> Iterator[np.ndarray]:
    """All frames of a video of that kind."""
    rng = np.random.default_rng(seed)
    width = kind.width // 2 * 2  # colour has half the size
    first, second = Scene(kind.height, width, rng), Scene(kind.height, width, rng)
    for index in range(kind.frames):
        yield (first if index < 0.6 * kind.frames else second).frame(index / kind.fps)


def write_source(path: Path, kind: Kind, seed: int) -> Path:
    """Write a source video of that kind; the same seed gives the same pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(kind.codec, rate=kind.fps, options=OPTIONS[kind.codec])
        stream.width, stream.height, stream.pix_fmt = kind.width // 2 * 2, kind.height, "yuv420p"
        for index, picture in enumerate(frames(kind, seed)):
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
