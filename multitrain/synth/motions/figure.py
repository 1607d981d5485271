"""An articulated figure: pose angles over time, joint positions, and the parts drawn between joints."""

from dataclasses import dataclass, fields

import numpy as np

from multitrain.synth.canvas import Colour, Part

__all__ = ["HIP", "PELVIS", "SHOULDER", "WRIST", "Body", "Pose", "joints", "parts"]

# Joints in the order of `joints`; paired ones hold the figure's left (x > 0), then its right.
PELVIS, NECK, HEAD = 0, 1, 2
SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE = ((i, i + 1) for i in range(3, 15, 2))
BAR_HEIGHT = 2.3  # metres


@dataclass
class Pose:
    """Angles in radians over T frames.

    A limb's direction is (flex, spread): 0, 0 hangs down, flex swings it forward, spread away from the body. Arms are
    relative to the chest, legs to the pelvis; the second half of a limb does not inherit the angle of the first.
    """

    arm: np.ndarray  # (T, 2, 2) left and right, flex and spread
    forearm: np.ndarray  # (T, 2, 2)
    thigh: np.ndarray  # (T, 2, 2)
    shin: np.ndarray  # (T, 2, 2)
    turn: np.ndarray  # (T, 3) of the pelvis: yaw, pitch forward, roll
    bend: np.ndarray  # (T, 2) of the spine: forward, sideways
    root: np.ndarray  # (T, 3) metres: sideways, above the ground, forward

    @classmethod
    def standing(cls, frames: int) -> "Pose":
        """Standing at ease: the pose that motions start from."""

        def limbs(flex: float, spread: float) -> np.ndarray:
            return np.tile([flex, spread], (frames, 2, 1))

        return cls(
            arm=limbs(0.05, 0.15),
            forearm=limbs(0.25, 0.1),
            thigh=limbs(0.0, 0.08),
            shin=limbs(-0.03, 0.06),
            turn=np.zeros((frames, 3)),
            bend=np.zeros((frames, 2)),
            root=np.zeros((frames, 3)),
        )

    def blend(self, other: "Pose", weight: np.ndarray) -> "Pose":
        """This pose where weight (T,) is 0, the other where it is 1."""

        def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            w = weight.reshape(-1, *[1] * (a.ndim - 1))
            return (1 - w) * a + w * b

        return Pose(**{f.name: mix(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)})


@dataclass(frozen=True)
class Body:
    """Proportions in metres, and colours."""

    torso: float
    arm: float  # half of its length
    leg: float  # half of its length
    shoulders: float  # half of their width
    girth: float  # factor on all radii
    skin: Colour
    shirt: Colour
    trousers: Colour


def _rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """Right-handed rotations (T, 3, 3) about x, y or z."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turned = np.zeros((len(angle), 3, 3))
    turned[:, axis, axis] = 1
    turned[:, i, i] = turned[:, j, j] = np.cos(angle)
    turned[:, j, i] = np.sin(angle)
    turned[:, i, j] = -turned[:, j, i]
    return turned


def _limbs(frame: np.ndarray, angles: np.ndarray, length: float) -> np.ndarray:
    """Vectors (T, 2, 3) along both limbs, for a frame (T, 3, 3) and angles (T, 2, 2)."""
    flex, spread = angles[..., 0], angles[..., 1]
    out = np.sin(spread) * (1, -1)
    local = np.stack([out, -np.cos(spread) * np.cos(flex), np.cos(spread) * np.sin(flex)], axis=-1)
    return length * np.einsum("tij,tsj->tsi", frame, local)


def joints(pose: Pose, body: Body, hanging: bool) -> np.ndarray:
    """Joints (T, 15, 3) in metres. The lowest one stands on the ground, or the hands hold a bar."""
    yaw, pitch, roll = pose.turn.T
    pelvis = _rotation(1, yaw) @ _rotation(0, pitch) @ _rotation(2, roll)
    chest = pelvis @ _rotation(0, pose.bend[:, 0]) @ _rotation(2, pose.bend[:, 1])
    neck = body.torso * chest[:, :, 1]  # (T, 3)
    head = neck + 0.22 * chest[:, :, 1] + 0.03 * chest[:, :, 2]
    sides = np.array([1.0, -1.0])[:, None]
    shoulder = neck[:, None] + body.shoulders * sides * chest[:, None, :, 0] - 0.05 * chest[:, None, :, 1]
    elbow = shoulder + _limbs(chest, pose.arm, body.arm)
    wrist = elbow + _limbs(chest, pose.forearm, body.arm)
    hip = 0.55 * body.shoulders * sides * pelvis[:, None, :, 0]
    knee = hip + _limbs(pelvis, pose.thigh, body.leg)
    ankle = knee + _limbs(pelvis, pose.shin, body.leg)
    centre = np.stack([np.zeros_like(neck), neck, head], axis=1)
    points = np.concatenate([centre, shoulder, elbow, wrist, hip, knee, ankle], axis=1)  # (T, 15, 3)
    if hanging:
        return points - wrist.mean(1, keepdims=True) + (0, BAR_HEIGHT, 0)
    points[:, :, 1] -= points[:, :, 1].min(1, keepdims=True)
    return points + pose.root[:, None]


def parts(points: np.ndarray, body: Body) -> list[Part]:
    """The parts to draw of a figure with joints (T, 15, 3)."""

    def chain(radius: float, colour: Colour, *ids: int) -> Part:
        return Part(points[:, list(ids)], radius * body.girth, colour)

    chest = points[:, [NECK, PELVIS]] + np.array([[0, -0.08, 0], [0, 0.05, 0]])
    drawn = [
        Part(chest, 0.15 * body.girth, body.shirt),
        chain(0.12, body.skin, HEAD),
        chain(0.05, body.skin, NECK, HEAD),
    ]
    for side in (0, 1):
        drawn += [
            chain(0.065, body.shirt, SHOULDER[side], ELBOW[side]),
            chain(0.055, body.skin, ELBOW[side], WRIST[side]),
            chain(0.085, body.trousers, HIP[side], KNEE[side], ANKLE[side]),
        ]
    return drawn
