"""How a motion is carried out, and the curves of which motions are made."""

from dataclasses import dataclass

import numpy as np

from multitrain.synth.motions.figure import Pose

__all__ = ["Cue", "course", "crouch", "hump", "swing"]


@dataclass(frozen=True)
class Cue:
    """How a motion is carried out in one video.

    Phase counts cycles, so a motion repeats when it grows by one; for those that happen once it goes from 0 to 1.
    """

    phase: np.ndarray  # (T,) cycles or progress
    reach: float = 1.0  # amplitude; 1 is a full motion
    lead: int = 0  # the limb in front: 0 left, 1 right
    both: bool = False  # both limbs at once, where a motion can be done with one


def hump(phase: np.ndarray) -> np.ndarray:
    """0 at the start of a cycle, 1 in its middle, smooth."""
    return (1 - np.cos(2 * np.pi * phase)) / 2


def swing(phase: np.ndarray) -> np.ndarray:
    """From 0 to 1, to -1 and back over a cycle."""
    return np.sin(2 * np.pi * phase)


def course(phase: np.ndarray, *knots: tuple[float, float]) -> np.ndarray:
    """Piecewise linear over a cycle, from (phase, value) knots."""
    places, values = zip(*knots, strict=True)
    return np.interp(phase % 1, places, values)


def crouch(pose: Pose, depth: np.ndarray) -> None:
    """Bend hips, knees and back of a standing pose; depth (T,), 1 is a full squat."""
    pose.thigh[..., 0] = (1.6 * depth)[:, None]
    pose.shin[..., 0] = (-0.7 * depth)[:, None]
    pose.bend[:, 0] = 0.6 * depth
