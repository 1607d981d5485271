"""Motions of the figure in exercises and acrobatics. Angles are radians, see figure.Pose."""

import numpy as np

from multitrain.synth.motions.execution import Execution, course, crouch, hump, swing
from multitrain.synth.motions.figure import Pose

__all__ = [
    "cartwheel",
    "crawl",
    "deadlift",
    "hang_swing",
    "leap",
    "lunge",
    "pull_up",
    "push_up",
    "raise_front",
    "sit_up",
    "squat",
    "star_jump",
]


def star_jump(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.arm[..., 1] = pose.forearm[..., 1] = (0.15 + 2.6 * u)[:, None]
    pose.thigh[..., 1] = pose.shin[..., 1] = (0.06 + 0.5 * u)[:, None]
    pose.root[:, 1] = 0.12 * execution.reach * swing(execution.phase) ** 2
    return pose


def leap(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    depth = execution.reach * course(execution.phase, (0, 0), (0.25, 1), (0.4, 0), (0.7, 0), (0.85, 0.6), (1, 0))
    crouch(pose, depth)
    pose.arm[..., 0] = course(execution.phase, (0, 0), (0.25, -0.7), (0.45, 2.8), (0.7, 2.4), (1, 0))[:, None]
    pose.forearm[:] = pose.arm
    flight = ((execution.phase % 1 - 0.4) / 0.3).clip(0, 1)
    pose.root[:, 1] = 1.8 * execution.reach * flight * (1 - flight)
    return pose


def squat(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    crouch(pose, u)
    pose.arm[..., 0] = pose.forearm[..., 0] = (0.2 + 1.7 * u)[:, None]
    return pose


def lunge(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    front, back = execution.lead, 1 - execution.lead
    pose.thigh[:, front, 0], pose.shin[:, front, 0] = 1.4 * u, -0.05 * u
    pose.thigh[:, back, 0], pose.shin[:, back, 0] = -0.5 * u, -1.3 * u
    pose.arm[..., 0], pose.arm[..., 1] = -0.3, 0.7  # hands on the hips
    pose.forearm[..., 0], pose.forearm[..., 1] = 0.4, -0.7
    return pose


def deadlift(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    crouch(pose, 0.35 * u)
    pose.bend[:, 0] = 1.3 * u
    pose.arm[..., 0] = pose.forearm[..., 0] = (pose.bend[:, 0] + 0.1)[:, None]  # arms hang whatever the back does
    return pose


def push_up(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    lean = 1.17 + 0.17 * u
    pose.turn[:, 1] = lean
    pose.arm[..., 0] = (lean - 1.3 * u)[:, None]
    pose.forearm[..., 0] = (lean + 0.2 * u)[:, None]
    pose.shin[..., 0] = pose.thigh[..., 0] = 0
    return pose


def sit_up(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.turn[:, 1] = -np.pi / 2
    pose.bend[:, 0] = 0.1 + 1.4 * u
    pose.thigh[..., 0], pose.shin[..., 0] = 0.8, -1.2
    pose.arm[..., 0] = pose.forearm[..., 0] = (2.4 - 1.0 * u)[:, None]
    return pose


def crawl(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    pose.turn[:, 1] = 1.3
    stride = 0.5 * np.stack([s, -s], axis=1)  # (T, 2)
    pose.arm[..., 0] = pose.forearm[..., 0] = 1.3 + stride
    pose.thigh[..., 0] = 1.3 - stride
    pose.shin[..., 0] = -0.2
    return pose


def raise_front(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.arm[..., 0] = pose.forearm[..., 0] = (0.1 + 1.6 * u)[:, None]
    return pose


def pull_up(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.arm[..., 1] = (2.7 - 2.0 * u)[:, None]
    pose.forearm[..., 1] = (2.8 + 0.4 * u)[:, None]
    pose.forearm[..., 0] = 0
    pose.thigh[..., 0], pose.shin[..., 0] = 0.2, -0.8
    return pose


def hang_swing(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    pose.arm[..., 1] = pose.forearm[..., 1] = np.pi - 0.1
    pose.arm[..., 0] = pose.forearm[..., 0] = 0
    pose.turn[:, 1] = 0.8 * s
    pose.thigh[..., 0] = pose.shin[..., 0] = -0.3 * s[:, None]
    return pose


def cartwheel(execution: Execution) -> Pose:
    pose, p = Pose.standing(len(execution.phase)), execution.phase % 1
    turned = 2 * np.pi * p - 0.7 * np.sin(2 * np.pi * p) * execution.reach
    pose.turn[:, 2] = (turned + np.pi) % (2 * np.pi) - np.pi
    pose.arm[..., 1] = pose.forearm[..., 1] = 2.6
    pose.thigh[..., 1] = pose.shin[..., 1] = 0.65
    return pose
