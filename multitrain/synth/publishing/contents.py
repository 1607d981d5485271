"""The videos of a published dataset: their labels, rendering, and damaged or missing files as in real releases."""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.process_pool import LONGEST, process_map
from multitrain.common.seeding import generator
from multitrain.config.scale import World
from multitrain.synth.rendering import renderer
from multitrain.synth.rendering.encode import encode
from multitrain.synth.rendering.renderer import Size
from multitrain.synth.world import DatasetSpec, spec

__all__ = ["LOST", "Release", "RenderedVideo", "Video", "plan", "render_videos", "video_id"]

LOST = ("absent", "empty", "broken")  # listed videos without a file, with an empty one, with one that does not decode
BASE64 = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))


@dataclass(frozen=True)
class Video:
    """A video as listed in the annotations."""

    split: str  # "train" or "validation"
    index: int  # with dataset and split the seed of its rendering
    label: int  # as listed
    shown: int  # the class that is rendered: another than `label` where that is noise
    id: str
    suffix: str
    trouble: str = ""  # one of LOST; or "replaced", "overrun", "backwards": usable after a correction


@dataclass(frozen=True)
class RenderedVideo:
    """A rendered video: its file (None if absent) and, if untrimmed, its segments (start, end) in seconds."""

    video: Video
    data: bytes | None
    seconds: float
    segments: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Release:
    """All that a format needs to publish a dataset."""

    dataset: str
    spec: DatasetSpec
    world: World
    videos: tuple[Video, ...]  # the training videos, then the validation videos
    rendered: Iterator[RenderedVideo]  # one a video, in that order

    def split(self, name: str) -> list[Video]:
        """The videos of a split."""
        return [video for video in self.videos if video.split == name]

    def name(self, video: Video) -> str:
        """The class of a video."""
        return self.spec.classes[video.label]

    def generator(self, *names: str | int) -> np.random.Generator:
        """Random numbers for the annotations."""
        return generator(self.world.seed, self.dataset, *names)


def _labels(rng: np.random.Generator, classes: int, count: int, tail: float = 1.0) -> list[int]:
    """Labels in random order, the most frequent class `tail` times as often as the rarest, equal factors between.

    Without a tail they are balanced to within one, whatever the count; with one, no class is without a video.
    """
    order = rng.permutation(classes)
    if tail == 1 or count <= classes:
        return rng.permutation(np.resize(order, count)).tolist()
    shares = tail ** -np.linspace(0, 1, classes)
    ends = np.cumsum(shares) / shares.sum() * (count - classes)
    counts = 1 + np.diff(np.round(ends).astype(int), prepend=0)
    return rng.permutation(np.repeat(order, counts)).tolist()


def _shown(rng: np.random.Generator, labels: list[int], classes: int, noise: float) -> list[int]:
    """The classes rendered for these labels: another class for a part `noise` of the videos."""
    shown = np.array(labels)
    wrong = rng.permutation(len(labels))[: round(noise * len(labels))]
    shown[wrong] = (shown[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return shown.tolist()


def video_id(rng: np.random.Generator) -> str:
    """Eleven characters, as of a video platform."""
    return "".join(rng.choice(BASE64, 11))


def plan(dataset: str, world: World) -> tuple[Video, ...]:
    """All videos of the annotations: as many good ones as configured, and in training one of each kind of LOST."""
    about, counts = spec(dataset, world), world.videos[dataset]
    bias, classes = about.bias, len(about.classes)
    rng = generator(world.seed, dataset, "plan")
    numbers = iter(rng.choice(np.arange(1, 220848), counts.train + counts.validation + len(LOST), replace=False))
    suffix = ".webm" if about.reader == "ssv2" else ".mp4"
    videos = []
    for split, good, lost in (("train", counts.train, LOST), ("validation", counts.validation, ())):
        labels = _labels(rng, classes, good, bias.tail if split == "train" else 1) + _labels(rng, classes, len(lost))
        shown = _shown(rng, labels, classes, bias.noise if split == "train" else 0)
        listed = []
        for index, (label, seen) in enumerate(zip(labels, shown, strict=True)):
            name = str(next(numbers)) if about.reader == "ssv2" else video_id(rng)
            trouble = lost[index - good] if index >= good else ""
            listed.append(Video(split, index, label, seen, name, suffix, trouble))
        if split == "train":
            _special(about.reader, dataset, listed, good)
        videos += [listed[i] for i in rng.permutation(len(listed))]
    return tuple(videos)


def _special(reader: str, dataset: str, listed: list[Video], good: int) -> None:
    """Mark some good training videos with the troubles of a single publisher."""
    if dataset == "k400":  # the mirror offers replacements for corrupted files of this set alone
        listed[0] = replace(listed[0], trouble="replaced")
    if reader == "activitynet":
        listed[0] = replace(listed[0], suffix=".mkv")
        for i, trouble in ((1, "overrun"), (2, "backwards")):
            listed[i % good] = replace(listed[i % good], trouble=trouble)


def render_video(about: DatasetSpec, world: World, video: Video) -> RenderedVideo:
    """Render and encode one video, and damage it as its trouble says."""
    rng = generator(world.seed, about.name, video.split, video.index)
    size = Size(world.height, world.width, world.fps)
    segments: list[tuple[float, float]] = []
    if about.reader == "activitynet":
        frames, segments = renderer.untrimmed(about, video.shown, rng, size, to_the_end=video.trouble == "overrun")
    else:
        frames = renderer.clip(about, video.shown, rng, size)
    whole = encode(frames, world.fps, video.suffix, about.bias.crf)
    data: bytes | None = whole
    if video.trouble == "absent":
        data = None
    elif video.trouble == "empty":
        data = b""
    elif video.trouble == "broken":
        data = whole[:32] + rng.bytes(len(whole))
    return RenderedVideo(video, data, len(frames) / world.fps, segments)


def render_videos(
    dataset: str, world: World, videos: tuple[Video, ...], jobs: int, progress: Callable[[int, int], None] | None
) -> Iterator[RenderedVideo]:
    """Render videos in order with `jobs` processes; their number does not change the result."""
    make = functools.partial(render_video, spec(dataset, world), world)

    def counted(rendered: Iterable[RenderedVideo]) -> Iterator[RenderedVideo]:
        for done, video in enumerate(rendered, 1):
            if progress:
                progress(done, len(videos))
            yield video

    if jobs == 1:
        yield from counted(map(make, videos))
    else:
        yield from counted(_checked(dataset, process_map(make, videos, jobs, LONGEST)))


def _checked(dataset: str, results: Iterable[tuple[Video, RenderedVideo | str]]) -> Iterator[RenderedVideo]:
    """The rendered videos; a UserError where a process died."""
    for video, result in results:
        if isinstance(result, str):
            raise UserError(
                f"{dataset}: video {video.id} could not be rendered: its process ended: free memory, start again"
            )
        yield result
