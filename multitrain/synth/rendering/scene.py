"""Random scenes: bodies, props, objects, backgrounds and cameras within a dataset's bias."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from multitrain.common.seeding import generator
from multitrain.config.bias import Bias
from multitrain.synth.canvas import Camera, Colour, Part, Place
from multitrain.synth.motions import figure
from multitrain.synth.motions.execution import Execution
from multitrain.synth.motions.figure import HIP, PELVIS, SHOULDER, WRIST, Body, Pose
from multitrain.synth.motions.objects import Thing

__all__ = ["Setting", "body", "camera", "people", "setting", "thing"]

PLACES = 12  # backgrounds of a world; each motion has a usual one, and some motions share one
OWN = 0.75  # weight of a place's texture in a video that is filmed there
FURNITURE = 4  # boxes of a place
SKIN: Colour = (236, 196, 160)


@dataclass(frozen=True)
class Setting:
    """The background of a motion and the clothes worn there."""

    place: Place
    shirt: Colour
    trousers: Colour


def _bright(rng: np.random.Generator) -> Colour:
    """A random bright colour."""
    colour = rng.uniform(70, 255, 3)
    red, green, blue = (colour * 235 / colour.max()).tolist()
    return int(red), int(green), int(blue)


@cache
def usual_setting(seed: int, number: int) -> Setting:
    """One of the PLACES settings of a world, the same in all of its datasets."""
    rng = generator(seed, "place", number)
    return Setting(Place.drawn(rng, 0.3, FURNITURE, 110), _bright(rng), _bright(rng))


@cache
def usual_place(seed: int, motion: str) -> int:
    """The number of a motion's usual place in a world."""
    return int(generator(seed, "usual place", motion).integers(PLACES))


def _colour(rng: np.random.Generator, usual: Colour, variation: float) -> Colour:
    """A bright colour; `usual` when there is no variation."""
    red, green, blue = ((1 - variation) * np.array(usual) + variation * np.array(_bright(rng))).tolist()
    return int(red), int(green), int(blue)


def setting(rng: np.random.Generator, bias: Bias, seed: int, motion: str) -> Setting:
    """The setting of a video: the motion's usual one with probability `appearance` of the bias, else a random one."""
    drawn = Setting(Place.drawn(rng, bias.contrast, bias.clutter), _bright(rng), _bright(rng))
    if rng.random() >= bias.appearance:
        return drawn
    usual = usual_setting(seed, usual_place(seed, motion))
    return replace(usual, place=usual.place.mixed_with(drawn.place, OWN))


def body(rng: np.random.Generator, bias: Bias, setting: Setting) -> Body:
    """A random body in the setting's clothes, whose colours vary with the bias."""
    torso, arm, leg, shoulders, girth = rng.uniform(0.9, 1.1, 5) * (0.52, 0.28, 0.42, 0.2, 1.0)
    skin = _colour(rng, SKIN, 0.5 * bias.colours)
    shirt = _colour(rng, setting.shirt, bias.colours)
    return Body(torso, arm, leg, shoulders, girth, skin, shirt, _colour(rng, setting.trousers, bias.colours))


def thing(rng: np.random.Generator, bias: Bias, kinds: tuple[str, ...]) -> Thing:
    """A random object of one of the kinds."""
    return Thing(
        kind=kinds[rng.integers(len(kinds))],
        size=rng.uniform(0.26, 0.4),
        colour=_colour(rng, (220, 120, 90), bias.colours),
        mark=_colour(rng, (245, 235, 130), bias.colours),
        other=_colour(rng, (110, 150, 225), bias.colours),
        skin=_colour(rng, SKIN, 0.3 * bias.colours),
        angle=rng.uniform(-0.4, 0.4),
        span=rng.uniform(*bias.reach),
        side=int(rng.choice((-1, 1))),
        grip=rng.uniform(-0.3, np.pi + 0.3) + np.pi * (rng.random() < 0.3),
    )


def camera(rng: np.random.Generator, bias: Bias, frames: int, yaw: float) -> Camera:
    """A random camera near the best view, for a video of so many frames."""
    rates, phases = rng.uniform(0.02, 0.07, (2, 2)), rng.uniform(0, 2 * np.pi, (2, 2))
    time = np.arange(frames)[:, None, None]
    sway = bias.shake * np.sin(2 * np.pi * rates * time + phases).mean(1)  # (T, 2)
    return Camera(
        yaw=yaw + rng.uniform(-bias.yaw, bias.yaw),
        elevation=rng.uniform(*bias.elevation),
        scale=0.36 * rng.uniform(*bias.zoom),
        shift=tuple(rng.uniform(-bias.shift, bias.shift, 2)),
        shake=sway,
    )


def prop(name: str, points: np.ndarray, execution: Execution, colour: Colour) -> list[Part]:
    """Parts of the prop of a figure with joints (T, 15, 3)."""
    grip = points[:, list(WRIST)].mean(1)  # (T, 3)
    hand = points[:, WRIST[execution.lead]]
    if name == "ball":
        return [Part(_thrown(hand, points, execution)[:, None], 0.12, colour)]
    if name == "bouncing ball":
        ball = hand + np.array([0, 0, 0.12])
        ball[:, 1] = 0.12 + (ball[:, 1] - 0.3) * np.abs(np.sin(np.pi * execution.phase))
        return [Part(ball[:, None], 0.14, colour)]
    if name == "club":
        way = grip - points[:, list(SHOULDER)].mean(1)
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        return [Part(np.stack([grip, grip + 0.75 * way], 1), 0.035, colour, 0.1)]
    if name == "hoop":
        around = np.linspace(0, 2 * np.pi, 15)
        ring = 0.42 * np.stack([np.cos(around), 0.15 * np.sin(around), np.sin(around)], axis=1)  # (V, 3)
        return [Part(points[:, PELVIS, None] + ring, 0.03, colour)]
    if name == "dumbbells":
        return [Part(points[:, [wrist]], 0.1, colour) for wrist in WRIST]
    side = (points[:, [HIP[0]]] - points[:, [HIP[1]]]) * (1, 0, 1)
    side /= np.linalg.norm(side, axis=2, keepdims=True)  # (T, 1, 3)
    reach = 0.7 if name == "barbell" else 1.4
    ends = grip[:, None] + reach * side * np.array([[1.0], [-1.0]])  # (T, 2, 3)
    if name == "bar":
        return [Part(ends[:1].repeat(len(ends), 0), 0.04, colour, -0.3)]
    return [Part(ends, 0.03, colour, 0.2), *(Part(ends[:, [i]], 0.2, colour) for i in (0, 1))]


def _thrown(hand: np.ndarray, points: np.ndarray, execution: Execution) -> np.ndarray:
    """Positions (T, 3) of a ball: in the hand, then thrown to the figure's front."""
    flown = (execution.phase % 1 - 0.62).clip(0)[:, None]
    release = points[:, SHOULDER[execution.lead]] + (0, 0.3, 0.45)
    flight = release + flown * (0, 1.0, 9.0) - flown**2 * (0, 6.0, 0)
    return np.where(flown > 0, flight, hand)


def people(
    pose: Pose, body_: Body, execution: Execution, shown: str | None, colour: Colour, hanging: bool
) -> tuple[list[Part], np.ndarray]:
    """Parts of a figure and its prop, and the point (3,) on which the camera is centred."""
    points = figure.joints(pose, body_, hanging)
    centre = (points.min(1) + points.max(1)).mean(0) / 2
    return figure.parts(points, body_) + (prop(shown, points, execution, colour) if shown else []), centre
