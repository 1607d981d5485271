"""Rendering of videos: frames of a class, drawn at random by a generator."""

from dataclasses import dataclass, fields

import numpy as np

from multitrain.config.bias import Bias
from multitrain.synth import canvas
from multitrain.synth.classes.motion_class import TRAITS
from multitrain.synth.motions import objects
from multitrain.synth.motions.execution import Execution
from multitrain.synth.motions.figure import Pose
from multitrain.synth.motions.objects import OBJECTS
from multitrain.synth.motions.registry import MOTIONS
from multitrain.synth.rendering import scene
from multitrain.synth.world import DatasetSpec

__all__ = ["Scene", "Size", "clip", "compose", "film", "untrimmed"]

PACE = {"slow": 0.65, "fast": 1.35}  # factors on the tempo
REACH = {"small": 0.6, "large": 1.0}  # factors on the amplitude
GAP_SECONDS = (0.9, 1.6)  # of an untrimmed video, before, between and after its segments
BLEND = 3  # frames from standing idle into a motion, outside the segment


@dataclass(frozen=True)
class Size:
    """Frame size and rate of a published video."""

    height: int = 96  # pixels
    width: int = 96
    fps: float = 12.0


@dataclass(frozen=True)
class Take:
    """A random variant of a class: motion, traits, speed and amplitude."""

    motion: str
    traits: dict[str, str]
    rate: float  # cycles a second
    start: float  # phase of the first frame
    reach: float
    lead: int
    rests: tuple[float, float]  # parts of the video before and after a motion that happens once

    def execution(self, frames: int, fps: float) -> Execution:
        """The execution of the motion over the frames of a video."""
        if self.rate:
            phase = self.start + self.rate * np.arange(frames) / fps
        else:
            time = np.linspace(0, 1, frames)
            phase = ((time - self.rests[0]) / (1 - sum(self.rests))).clip(0, 1)
            phase = phase**2 * (3 - 2 * phase)
        if self.traits.get("direction") == "backward":
            phase = phase[::-1]
        return Execution(phase, self.reach, self.lead, self.traits.get("sides") == "both")


def take(about: DatasetSpec, label: int, rng: np.random.Generator) -> Take:
    """A random take of a class; with one generator, takes of classes that differ in one trait differ in it alone."""
    variants, bias = about.actions[label].variants, about.bias
    variant = variants[rng.integers(len(variants))]
    drawn = {trait: str(rng.choice(values)) for trait, values in TRAITS.items()}
    traits = {trait: drawn[trait] for trait in variant.traits} | dict(variant.fixed)
    motion = MOTIONS.get(variant.motion) or OBJECTS[variant.motion]
    return Take(
        motion=variant.motion,
        traits=traits,
        rate=motion.rate * rng.uniform(*bias.tempo) * PACE.get(traits.get("pace", ""), 1.0),
        start=rng.random(),
        reach=rng.uniform(*bias.reach) * REACH.get(traits.get("reach", ""), 1.0),
        lead=int(rng.integers(2)),
        rests=tuple(rng.uniform(0, bias.hold, 2)),
    )


def _habit(pose: Pose, rng: np.random.Generator, spread: float) -> Pose:
    """The pose with a constant random offset of every angle, which makes one person's style."""
    part = {"root": 0.0, "turn": 0.5}

    def offset(name: str, angles: np.ndarray) -> np.ndarray:
        return angles + part.get(name, 1.0) * spread * rng.normal(size=angles.shape[1:])

    return Pose(**{field.name: offset(field.name, getattr(pose, field.name)) for field in fields(pose)})


def _figure(
    drawn: Take, execution: Execution, rng: np.random.Generator, bias: Bias, setting: scene.Setting, active: np.ndarray
) -> tuple[list[canvas.Part], np.ndarray, float]:
    """Parts, centre and best yaw of a moving figure, which stands idle where active (T,) is 0."""
    motion = MOTIONS[drawn.motion]
    pose = motion.pose(execution)
    if active.min() < 1:
        idle = Pose.standing(len(execution.phase))
        idle.bend[:, 1] = idle.turn[:, 2] = 0.05 * np.sin(0.15 * np.arange(len(execution.phase)) + drawn.start)
        pose = idle.blend(pose, active)
    pose = _habit(pose, rng, bias.habit)
    body = scene.body(rng, bias, setting)
    shown = motion.prop if rng.random() < bias.props else None
    parts, centre = scene.people(pose, body, execution, shown, (240, 170, 90), motion.hanging)
    return parts, centre, motion.yaw * rng.choice((-1, 1))


def _object(
    drawn: Take, execution: Execution, rng: np.random.Generator, bias: Bias
) -> tuple[list[canvas.Part], np.ndarray, float]:
    """Parts, centre and best yaw of an object, in a hand or alone."""
    motion = OBJECTS[drawn.motion]
    something = scene.thing(rng, bias, motion.kinds)
    placed = motion.place(execution.phase, something)
    parts = placed.parts + (objects.hand(placed, something) if bias.hand else [])
    return parts, np.zeros(3), 0.0


def _active(frames: int, spans: list[tuple[int, int]], rng: np.random.Generator, idle: float) -> np.ndarray:
    """1 during the motion (T,), 0 while the figure stands: outside the spans, and in a part of each."""
    time, outside = np.arange(frames), np.full(frames, np.inf)
    for first, count in spans:
        still = min(rng.uniform(0, 2 * idle), 0.8) * count
        before = still * rng.random()
        start, end = first + before, first + count - 1 - (still - before)
        outside = np.minimum(outside, np.maximum(start - time, time - end))  # frames to the nearest motion
    return (1 - outside / (BLEND + 1)).clip(0, 1)


@dataclass(frozen=True)
class Scene:
    """The scene of one video: a figure or an object, the camera and the background."""

    parts: list[canvas.Part]
    camera: canvas.Camera
    centre: np.ndarray  # (3,)
    place: canvas.Place

    def draw(self, size: Size, blur: float = 0.0) -> np.ndarray:
        """Frames (T, H, W, 3) uint8, before the camera's effects."""
        return canvas.draw(self.parts, self.camera, self.centre, self.place, size.height, size.width, blur)


def compose(
    about: DatasetSpec, label: int, frames: int, spans: list[tuple[int, int]], rng: np.random.Generator, size: Size
) -> Scene:
    """The scene of one take of a class, with the motion in `spans` (first frame, count) only."""
    bias, drawn = about.bias, take(about, label, rng)
    execution, active = drawn.execution(frames, size.fps), _active(frames, spans, rng, bias.idle)
    setting = scene.setting(rng, bias, about.seed, drawn.motion)
    if drawn.motion in MOTIONS:
        parts, centre, yaw = _figure(drawn, execution, rng, bias, setting, active)
    else:
        parts, centre, yaw = _object(drawn, execution, rng, bias)
    return Scene(parts, scene.camera(rng, bias, frames, yaw), centre, setting.place)


def film(filmed: Scene, bias: Bias, rng: np.random.Generator, size: Size) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 of a scene with the dataset's blur, light and noise."""
    clean = filmed.draw(size, bias.blur)
    return canvas.camera_effects(clean, rng, bias.tint, rng.uniform(*bias.light), bias.grain)


def clip(about: DatasetSpec, label: int, rng: np.random.Generator, size: Size) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 of one trimmed video of a class."""
    frames = max(2, round(rng.uniform(*about.bias.seconds) * size.fps))
    return film(compose(about, label, frames, [(0, frames)], rng, size), about.bias, rng, size)


def untrimmed(
    about: DatasetSpec, label: int, rng: np.random.Generator, size: Size, to_the_end: bool = False
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Frames of an untrimmed video, and the segments (start, end) in seconds that show the class's motion.

    With `to_the_end` the last segment ends with the video.
    """
    count = int(rng.integers(1, 3))
    lengths = np.round(rng.uniform(*about.bias.seconds, count) * size.fps).astype(int)
    gaps = np.round(rng.uniform(*GAP_SECONDS, count + 1) * size.fps).astype(int)
    if to_the_end:
        gaps[-1] = 0
    starts = np.cumsum(gaps[:-1]) + np.cumsum(lengths) - lengths
    spans = list(zip(starts.tolist(), lengths.tolist(), strict=True))
    frames = film(compose(about, label, int(lengths.sum() + gaps.sum()), spans, rng, size), about.bias, rng, size)
    return frames, [(first / size.fps, (first + count) / size.fps) for first, count in spans]
