"""The execution of a motion (phase, amplitude, side), and periodic curves of which motions are made."""

from dataclasses import dataclass

import numpy as np

from multitrain.synth.motions.figure import Pose

__all__ = ["Execution", "course", "crouch", "hump", "swing"]


@dataclass(frozen=True)
class Execution:
    """The execution of a motion in one video: its phase over time, amplitude and side.

    Phase counts the cycles of a periodic motion, and goes from 0 to 1 in a motion that happens once.
    """

    phase: np.ndarray  # (T,) cycles or progress
    reach: float = 1.0  # amplitude; 1 is a full motion
    lead: int = 0  # the limb in front: 0 left, 1 right
    both: bool = False  # both limbs at once, where a motion can be done with one

    def alternating(self) -> np.ndarray:
        """Phases (T, 2) of the left and the right limb, half a cycle apart."""
        return np.stack([self.phase, self.phase + 0.5], axis=1)


def hump(phase: np.ndarray) -> np.ndarray:
    """Raised cosine: 0 at the start of a cycle, 1 in its middle."""
    return (1 - np.cos(2 * np.pi * phase)) / 2


def swing(phase: np.ndarray) -> np.ndarray:
    """Sine of the phase in cycles."""
    return np.sin(2 * np.pi * phase)


def course(phase: np.ndarray, *knots: tuple[float, float]) -> np.ndarray:
    """Piecewise linear interpolation over a cycle, from (phase, value) knots."""
    places, values = zip(*knots, strict=True)
    return np.interp(phase % 1, places, values)


def crouch(pose: Pose, depth: np.ndarray) -> None:
    """Bend hips, knees and back of a standing pose; depth (T,), 1 is a full squat."""
    pose.thigh[..., 0] = (1.6 * depth)[:, None]
    pose.shin[..., 0] = (-0.7 * depth)[:, None]
    pose.bend[:, 0] = 0.6 * depth
