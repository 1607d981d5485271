"""Motions of the figure in everyday actions: running, waving, throwing. Angles are radians, see figure.Pose."""

import numpy as np

from multitrain.synth.motions.execution import Execution, course, crouch, hump, swing
from multitrain.synth.motions.figure import Pose

__all__ = ["clap", "dribble", "golf", "hula", "kick", "pirouette", "punch", "run", "throw", "topple", "tremble", "wave"]


def run(execution: Execution) -> Pose:
    pose, both = Pose.standing(len(execution.phase)), execution.alternating()
    swung = execution.reach * swing(both)
    pose.thigh[..., 0] = 0.25 + 0.75 * swung
    pose.shin[..., 0] = pose.thigh[..., 0] - 0.3 - 1.1 * execution.reach * hump(both + 0.12)
    pose.arm[..., 0] = -0.1 - 0.7 * swung
    pose.forearm[..., 0] = pose.arm[..., 0] + 1.4
    pose.turn[:, 1] = 0.15
    pose.root[:, 1] = 0.08 * np.abs(swing(execution.phase))
    return pose


def kick(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), hump(execution.phase) ** 1.5
    pose.thigh[:, execution.lead, 1] = 0.08 + 1.75 * execution.reach * u
    pose.shin[:, execution.lead, 1] = pose.thigh[:, execution.lead, 1] - 0.5 * swing(execution.phase).clip(0)
    pose.turn[:, 2] = 0.35 * execution.reach * u * (1 if execution.lead == 0 else -1)
    pose.arm[..., 0], pose.forearm[..., 0] = 0.5, 2.3  # fists up
    return pose


def punch(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    out = execution.reach * hump(execution.alternating()) ** 2  # (T, 2)
    pose.arm[..., 0] = 0.2 + 1.3 * out
    pose.forearm[..., 0] = 2.4 - 0.9 * out
    pose.turn[:, 0] = 0.5 * (out[:, 1] - out[:, 0])
    pose.thigh[:, 0, 0], pose.thigh[:, 1, 0] = 0.25, -0.25
    pose.shin[:, 0, 0], pose.shin[:, 1, 0] = -0.1, -0.5
    return pose


def wave(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    for side in (0, 1) if execution.both else (execution.lead,):
        pose.arm[:, side, 1] = 1.9 + 0.15 * s
        pose.forearm[:, side, 1] = 2.7 + 0.75 * s
    return pose


def clap(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.arm[..., 0], pose.forearm[..., 0] = 0.9, 1.5
    pose.arm[..., 1] = (0.15 + 0.6 * u)[:, None]
    pose.forearm[..., 1] = (-0.55 + 1.3 * u)[:, None]
    return pose


def throw(execution: Execution) -> Pose:
    pose, p = Pose.standing(len(execution.phase)), execution.phase
    pose.arm[:, execution.lead, 0] = course(p, (0, 0.2), (0.4, 3.4), (0.5, 3.5), (0.65, 1.4), (0.75, 0.4), (1, 0.2))
    bent = course(p, (0, 0.6), (0.4, 1.2), (0.5, 1.0), (0.65, 0), (1, 0.6))
    pose.forearm[:, execution.lead, 0] = pose.arm[:, execution.lead, 0] + bent
    pose.bend[:, 0] = execution.reach * course(p, (0, 0), (0.45, -0.35), (0.68, 0.6), (1, 0))
    pose.turn[:, 0] = (1 if execution.lead else -1) * course(p, (0, 0), (0.45, -0.5), (0.68, 0.4), (1, 0))
    pose.thigh[:, 1 - execution.lead, 0], pose.thigh[:, execution.lead, 0] = 0.35, -0.3
    pose.shin[:, 1 - execution.lead, 0], pose.shin[:, execution.lead, 0] = 0.0, -0.45
    return pose


def golf(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    angle = execution.reach * course(
        execution.phase, (0, 0), (0.45, 2.1), (0.55, 2.1), (0.68, -0.3), (0.8, -1.9), (0.88, -1.9), (1, 0)
    )
    angle = angle if execution.lead else -angle
    pose.arm[..., 1] = pose.forearm[..., 1] = np.stack([angle - 0.2, -angle - 0.2], axis=1)
    pose.arm[..., 0] = pose.forearm[..., 0] = 0.8
    pose.bend[:, 0], pose.turn[:, 0] = 0.5, 0.25 * angle
    pose.thigh[..., 0], pose.thigh[..., 1] = 0.2, 0.2
    pose.shin[..., 1] = 0.2
    return pose


def dribble(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), hump(execution.phase)
    crouch(pose, np.full_like(u, 0.3))
    pose.arm[:, execution.lead, 0] = 0.2 + 0.5 * u
    pose.forearm[:, execution.lead, 0] = 0.5 + 1.1 * execution.reach * u
    return pose


def hula(execution: Execution) -> Pose:
    pose, size = Pose.standing(len(execution.phase)), 0.16 * execution.reach
    pose.root[:, 0] = size * np.cos(2 * np.pi * execution.phase)
    pose.root[:, 2] = size * swing(execution.phase)
    pose.bend[:, 1] = 2.5 * pose.root[:, 0]
    pose.bend[:, 0] = -1.5 * pose.root[:, 2]
    pose.turn[:, 2] = -0.8 * pose.root[:, 0]
    pose.arm[..., 1], pose.forearm[..., 1], pose.forearm[..., 0] = 1.4, 2.0, 0.0
    return pose


def pirouette(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    pose.turn[:, 0] = 2 * np.pi * execution.phase
    pose.arm[..., 1] = pose.forearm[..., 1] = 1.4
    pose.thigh[:, execution.lead, 1], pose.shin[:, execution.lead, 1] = 0.8, -0.5
    return pose


def topple(execution: Execution) -> Pose:
    """Fall from standing to lying on the ground; in reverse, get up."""
    pose, u = Pose.standing(len(execution.phase)), execution.phase
    pose.turn[:, 2] = (1 if execution.lead else -1) * 1.5 * u**1.5
    crouch(pose, 0.9 * np.sin(np.pi * u))
    pose.arm[..., 1] = pose.forearm[..., 1] = (0.2 + 1.2 * u)[:, None]
    return pose


def tremble(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    pose.arm[..., 0], pose.arm[..., 1] = 0.3, 0.5
    pose.forearm[..., 0], pose.forearm[..., 1] = 1.6, (0.2 + 0.5 * s)[:, None] * (1, -1)
    pose.bend[:, 1], pose.turn[:, 0] = 0.2 * s, 0.3 * s
    pose.root[:, 0] = 0.1 * s
    return pose
