"""Motions of objects, alone or in a hand: the position of each part by phase.

A motion that happens once has phases from 0 to 1. Its reverse class has the same phases backwards, and nothing else
may depend on the direction: it must be visible in time alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from multitrain.synth.canvas import Colour, Part

__all__ = ["OBJECTS", "Thing", "hand"]

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 16, False)), np.sin(np.linspace(0, 2 * np.pi, 16, False))], axis=1)
SQUARE = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
OUTLINES: dict[str, tuple[np.ndarray, np.ndarray]] = {  # body and the mark on it, in units of the object's size
    "ball": (CIRCLE, SQUARE * (0.25, 0.75)),
    "box": (SQUARE * 0.85, SQUARE * (0.6, 0.15) + (0.0, 0.5)),
    "bottle": (
        np.array(
            [(-0.5, -1.1), (0.5, -1.1), (0.5, 0.4), (0.2, 0.7), (0.2, 1.2), (-0.2, 1.2), (-0.2, 0.7), (-0.5, 0.4)]
        ),
        SQUARE * (0.5, 0.3) + (0.0, -0.3),
    ),
    "bar": (SQUARE * (0.28, 1.4), SQUARE * (0.28, 0.35) + (0.0, 1.05)),
}


@dataclass(frozen=True)
class Thing:
    """The constants of an object motion: the object, the other objects of its scene and the hand."""

    kind: str
    size: float  # metres, half of its height
    colour: Colour
    mark: Colour
    other: Colour  # of a second object
    skin: Colour
    angle: float  # radians, at rest
    span: float  # how far it moves, 1 on average
    side: int  # -1 or 1: where a hinge or a jug is
    grip: float  # radians, direction from which the hand reaches


@dataclass(frozen=True)
class Placed:
    """Parts of an object scene, and the position and direction of a hand that holds the object."""

    parts: list[Part]
    grip: np.ndarray  # (T, 3) metres, of the hand
    reach: float  # radians, direction from which the hand reaches


def _at(x: np.ndarray | float, y: np.ndarray | float, z: np.ndarray | float = 0.0) -> np.ndarray:
    """Points (T, 3) from coordinates that are numbers or (T,)."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(float)


def _darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return int(factor * red), int(factor * green), int(factor * blue)


def _polygon(
    outline: np.ndarray, centre: np.ndarray, angle: np.ndarray | float, colour: Colour, nearer: float = 0.0
) -> Part:
    """A flat outline (V, 2) in metres, turned by angle (T,) and put at centre (T, 3)."""
    angle = np.broadcast_to(angle, len(centre))[:, None]
    x, y = outline.T
    turned = [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    points = np.stack([*turned, np.zeros_like(turned[0])], axis=-1) + centre[:, None]  # (T, V, 3)
    return Part(points, 0.0, colour, nearer)


def _thing(thing: Thing, centre: np.ndarray, angle: np.ndarray | float) -> list[Part]:
    """The object's body and mark, turned by angle (T,) and put at centre (T, 3)."""
    body, mark = OUTLINES[thing.kind]
    return [
        _polygon(thing.size * body, centre, angle, thing.colour),
        _polygon(thing.size * mark, centre, angle, thing.mark, 0.05),
    ]


def _held(thing: Thing, centre: np.ndarray, angle: np.ndarray | float) -> Placed:
    """The object in a hand that holds it at its rim."""
    rim = 0.9 * thing.size * np.array([np.cos(thing.grip), np.sin(thing.grip), 0])
    return Placed(_thing(thing, centre, angle), centre + rim, thing.grip)


def slide(p: np.ndarray, thing: Thing) -> Placed:
    """Slide across the frame, left to right."""
    return _held(thing, _at(0.75 * thing.span * (2 * p - 1), -0.2), thing.angle)


def lift(p: np.ndarray, thing: Thing) -> Placed:
    """Lift off a table."""
    rest = -0.5
    held = _held(thing, _at(0.0, rest + 1.2 * thing.span * p), thing.angle)
    top = rest - 1.3 * thing.size
    table = _polygon(SQUARE * (4, 2), _at(0 * p, top - 2, -0.3), 0.0, _darker(thing.other, 0.5), -0.5)
    return Placed([table, *held.parts], held.grip, held.reach)


def turn(p: np.ndarray, thing: Thing) -> Placed:
    """Turn clockwise about its centre."""
    angle = thing.grip - np.pi / 2 + thing.angle - 2.2 * thing.span * (p - 0.5)  # the held end stays on the hand's side
    end = 1.1 * thing.size * np.stack([-np.sin(angle), np.cos(angle), 0 * p], axis=-1)
    return Placed(_thing(thing, _at(0 * p, 0.0), angle), end, thing.grip)


def lid(p: np.ndarray, thing: Thing) -> Placed:
    """Open the hinged lid of a box."""
    size, angle = 1.3 * thing.size, 0.05 + 2.0 * thing.span * p
    hinge = _at(-thing.side * size + 0 * p, -0.2 + size)
    end = hinge + 2 * size * _at(thing.side * np.cos(angle), np.sin(angle))
    box = _polygon(SQUARE * size, _at(0 * p, -0.2), 0.0, thing.colour)
    band = _polygon(SQUARE * size * (1, 0.2), _at(0 * p, -0.2), 0.0, thing.mark, 0.05)
    return Placed(
        [box, band, Part(np.stack([hinge, end], 1), 0.08, thing.other, 0.1)], end, np.pi / 2 + 0.4 * np.cos(thing.grip)
    )


def approach(p: np.ndarray, thing: Thing) -> Placed:
    """Move towards the camera."""
    return _held(thing, _at(0 * p, -0.1, 4.6 * thing.span * (p - 0.6)), thing.angle)


def cover(p: np.ndarray, thing: Thing) -> Placed:
    """Cover the object with a bowl."""
    away = 1.5 * thing.span * (1 - p)
    centre = _at(away * np.cos(thing.grip), -0.1 + away * np.sin(thing.grip))
    bowl = _polygon(CIRCLE * 1.45 * thing.size, centre, 0.0, thing.other, 0.4)
    rim = _polygon(CIRCLE * 1.1 * thing.size, centre, 0.0, _darker(thing.other, 0.8), 0.45)
    reach = centre + 1.3 * thing.size * np.array([np.cos(thing.grip), np.sin(thing.grip), 0])
    return Placed([*_thing(thing, _at(0 * p, -0.1), thing.angle), bowl, rim], reach, thing.grip)


def pour(p: np.ndarray, thing: Thing) -> Placed:
    """Fill a glass from a jug."""
    half, low, high = 1.1 * thing.size, -0.9, 0.2
    level = low + (high - low) * (0.1 + 0.8 * p)
    corners = [(-half, low), (half, low), (half, level), (-half, level)]
    liquid = Part(np.stack([_at(x, y + 0 * p) for x, y in corners], axis=1), 0.0, thing.colour)
    walls = [_at(-half + 0 * p, high), _at(-half + 0 * p, low), _at(half + 0 * p, low), _at(half + 0 * p, high)]
    spout = _at(0.1 * thing.side + 0 * p, 0.55)
    stream = Part(np.stack([spout, _at(0.1 * thing.side, level)], axis=1), 0.05, thing.colour, 0.05)
    jug = _polygon(SQUARE * thing.size * (0.9, 0.7) + (0.8 * thing.size, 0), spout, 0.5, thing.other, 0.1)
    if thing.side < 0:
        jug = Part((jug.points - spout[:, None]) * (-1, 1, 1) + spout[:, None], 0.0, thing.other, 0.1)
    return Placed(
        [liquid, Part(np.stack(walls, 1), 0.05, thing.mark, 0.1), stream, jug], jug.points.mean(1), thing.grip
    )


def shake(p: np.ndarray, thing: Thing) -> Placed:
    """Shake to and fro, quickly."""
    s = thing.span * np.sin(2 * np.pi * p)
    return _held(thing, _at(0.3 * s * np.cos(thing.grip), 0.3 * s * np.sin(thing.grip)), thing.angle + 0.3 * s)


def pendulum(p: np.ndarray, thing: Thing) -> Placed:
    """Swing on a string."""
    angle = 0.75 * thing.span * np.sin(2 * np.pi * p)
    pivot = _at(0 * p, 1.1)
    centre = pivot + 1.5 * _at(np.sin(angle), -np.cos(angle))
    held = _held(thing, centre, angle)
    string = Part(np.stack([pivot, centre], 1), 0.03, thing.other, -0.1)
    return Placed([string, *held.parts], held.grip, held.reach)


def bounce(p: np.ndarray, thing: Thing) -> Placed:
    """Bounce on the ground."""
    return _held(thing, _at(0 * p, -0.9 + 1.5 * thing.span * np.abs(np.sin(np.pi * p))), thing.angle + p)


def roll(p: np.ndarray, thing: Thing) -> Placed:
    """Roll across the frame on the ground, left to right."""
    x = 0.75 * thing.span * (2 * p - 1)
    held = _held(thing, _at(x, -0.4), thing.angle - x / thing.size)
    return Placed(held.parts, _at(x, -0.4 + 0.9 * thing.size), np.pi / 2)


def tip(p: np.ndarray, thing: Thing) -> Placed:
    """Tip over an edge, from upright onto the side."""
    angle, half = -thing.side * 1.5 * min(max(thing.span, 0.7), 1.0) * p, 1.1 * thing.size
    pivot = _at(0.4 * half * thing.side + 0 * p, -0.5)
    arm = np.array([-0.4 * half * thing.side, half])
    centre = pivot + _at(
        *(arm[0] * np.cos(angle) - arm[1] * np.sin(angle), arm[0] * np.sin(angle) + arm[1] * np.cos(angle))
    )
    top = centre + 0.9 * thing.size * _at(-np.sin(angle), np.cos(angle))
    return Placed(_thing(thing, centre, angle), top, np.pi / 2 + 0.4 * np.cos(thing.grip))


def stack(p: np.ndarray, thing: Thing) -> Placed:
    """Put onto another object, from the side."""
    base = _polygon(SQUARE * (1.2, 0.9) * thing.size, _at(0 * p, -0.7), 0.0, thing.other)
    away = 1.1 * thing.span
    x, y = away * thing.side * (1 - p) ** 2, -0.7 + 1.8 * thing.size + 0.8 * thing.span * (1 - p)
    held = _held(thing, _at(x, y), 0.0)
    return Placed([base, *held.parts], held.grip, held.reach)


def part(p: np.ndarray, thing: Thing) -> Placed:
    """Pull two halves apart."""
    apart = 0.45 * thing.size + 0.8 * thing.span * p
    halves = [
        _polygon(SQUARE * (0.4, 0.8) * thing.size, _at(s * apart, -0.1), 0.0, c)
        for s, c in ((-1, thing.colour), (1, thing.other))
    ]
    band = Part(np.stack([_at(-apart, -0.1), _at(apart, -0.1)], axis=1), 0.04, thing.mark, -0.1)
    return Placed([band, *halves], _at(thing.side * apart, -0.1), 0.0 if thing.side > 0 else np.pi)


def insert(p: np.ndarray, thing: Thing) -> Placed:
    """Put from above into a box, which hides it."""
    y = 0.9 * thing.span * (1 - p) - 0.5
    held = _held(thing, _at(0 * p, y), 0.3 * thing.angle)
    box = _polygon(SQUARE * (1.3, 1.2) * thing.size, _at(0 * p, -0.5 - 0.3 * thing.size, 0.1), 0.0, thing.other, 0.3)
    return Placed([*held.parts, box], _at(0 * p, y + 0.9 * thing.size), np.pi / 2)


def hand(placed: Placed, thing: Thing) -> list[Part]:
    """Parts of the hand that holds the object, with its forearm from outside the frame."""
    grip, way = placed.grip, np.array([np.cos(placed.reach), np.sin(placed.reach), 0])
    across = np.array([-way[1], way[0], 0])
    palm = grip + 0.12 * way
    parts = [
        Part(np.stack([palm, palm + 3.0 * way], 1), 0.11, thing.skin, 1.0),
        Part(palm[:, None], 0.17, thing.skin, 1.1),
    ]
    for offset in (-0.12, 0.0, 0.12):
        tip = grip - 0.12 * way + 1.3 * offset * across
        parts.append(Part(np.stack([palm + offset * across, tip], 1), 0.05, thing.skin, 1.2))
    return parts


@dataclass(frozen=True)
class ObjectMotion:
    """A motion of an object."""

    place: Callable[[np.ndarray, Thing], Placed]
    rate: float  # cycles a second at tempo 1; 0 for a motion that happens once
    traits: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("ball", "box", "bottle")


OBJECTS: dict[str, ObjectMotion] = {
    "slide": ObjectMotion(slide, 0.0, ("direction",)),
    "lift": ObjectMotion(lift, 0.0, ("direction",)),
    "turn": ObjectMotion(turn, 0.0, ("direction",), ("bar", "bottle")),
    "lid": ObjectMotion(lid, 0.0, ("direction",)),
    "approach": ObjectMotion(approach, 0.0, ("direction",)),
    "cover": ObjectMotion(cover, 0.0, ("direction",)),
    "pour": ObjectMotion(pour, 0.0, ("direction",)),
    "roll": ObjectMotion(roll, 0.0, ("direction",), ("ball", "bottle", "bar")),
    "tip": ObjectMotion(tip, 0.0, ("direction",), ("box", "bottle", "bar")),
    "stack": ObjectMotion(stack, 0.0, ("direction",)),
    "part": ObjectMotion(part, 0.0, ("direction",)),
    "insert": ObjectMotion(insert, 0.0, ("direction",)),
    "shake": ObjectMotion(shake, 1.4),
    "pendulum": ObjectMotion(pendulum, 0.7),
    "bounce": ObjectMotion(bounce, 0.9, kinds=("ball",)),
}
