"""Motions of the figure in work, sport and dance. Angles are radians, see figure.Pose."""

import numpy as np

from multitrain.synth.motions.execution import Execution, crouch, hump, swing
from multitrain.synth.motions.figure import Pose

__all__ = [
    "bow",
    "climb",
    "dig",
    "drum",
    "front_crawl",
    "hop",
    "march",
    "pedal",
    "row",
    "saw",
    "side_bend",
    "skate",
    "stir",
    "twist",
    "windmill",
]


def march(execution: Execution) -> Pose:
    pose, up = Pose.standing(len(execution.phase)), swing(execution.alternating()).clip(0)
    pose.thigh[..., 0] = 1.5 * execution.reach * up
    pose.shin[..., 0] = -0.1 * up
    pose.arm[..., 0] = pose.forearm[..., 0] = 0.9 * execution.reach * up[:, ::-1]
    return pose


def bow(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.bend[:, 0] = 1.3 * u
    pose.arm[..., 0], pose.arm[..., 1] = -0.4, 0.25  # hands behind the back
    pose.forearm[..., 0], pose.forearm[..., 1] = -0.7, -0.4
    return pose


def side_bend(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    pose.bend[:, 1] = 0.7 * s
    pose.arm[..., 1] = pose.forearm[..., 1] = 2.9
    return pose


def windmill(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    pose.arm[..., 0] = pose.forearm[..., 0] = 2 * np.pi * execution.alternating()
    pose.arm[..., 1] = pose.forearm[..., 1] = 0.5
    return pose


def row(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    pose.thigh[..., 0] = (2.0 - 0.6 * u)[:, None]
    pose.shin[..., 0] = (0.2 + 1.1 * u)[:, None]
    pose.bend[:, 0] = 0.6 - 1.0 * u
    pose.arm[..., 0] = (1.4 - 1.5 * u)[:, None]
    pose.forearm[..., 0] = (1.5 + 0.2 * u)[:, None]
    return pose


def pedal(execution: Execution) -> Pose:
    pose, both = Pose.standing(len(execution.phase)), execution.alternating()
    pose.turn[:, 1] = -np.pi / 2  # on the back
    pose.thigh[..., 0] = 1.0 + 0.6 * execution.reach * swing(both)
    pose.shin[..., 0] = pose.thigh[..., 0] - 0.6 - 0.7 * execution.reach * hump(both)
    pose.arm[..., 0] = pose.forearm[..., 0] = -0.1
    return pose


def hop(execution: Execution) -> Pose:
    pose, flight = Pose.standing(len(execution.phase)), np.abs(swing(execution.phase))
    pose.thigh[:, execution.lead, 0], pose.shin[:, execution.lead, 0] = 0.9, -0.8
    pose.thigh[:, 1 - execution.lead, 0] = 0.35 * (1 - flight)
    pose.shin[:, 1 - execution.lead, 0] = -0.35 * (1 - flight)
    pose.root[:, 1] = 0.3 * execution.reach * flight
    pose.arm[..., 1] = pose.forearm[..., 1] = 0.9
    return pose


def twist(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    crouch(pose, np.full_like(s, 0.35))
    pose.turn[:, 0] = 0.8 * s
    pose.arm[..., 0] = 0.7 + 0.5 * s[:, None] * (1, -1)
    pose.forearm[..., 0] = pose.arm[..., 0] + 1.0
    return pose


def drum(execution: Execution) -> Pose:
    pose, up = Pose.standing(len(execution.phase)), execution.reach * hump(execution.alternating())
    pose.thigh[..., 0], pose.shin[..., 0] = 1.4, 0.0  # seated
    pose.arm[..., 0], pose.arm[..., 1] = 0.4, 0.3
    pose.forearm[..., 0] = 1.0 + 1.3 * up
    return pose


def saw(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    pose.bend[:, 0] = 0.8
    pose.arm[:, execution.lead, 0] = 0.6 - 0.7 * s
    pose.forearm[:, execution.lead, 0] = 1.2 + 0.2 * s
    pose.thigh[:, execution.lead, 0], pose.thigh[:, 1 - execution.lead, 0] = -0.3, 0.4
    pose.shin[:, execution.lead, 0] = -0.4
    return pose


def front_crawl(execution: Execution) -> Pose:
    pose, both = Pose.standing(len(execution.phase)), execution.alternating()
    pose.turn[:, 1] = np.pi / 2  # face down
    pose.arm[..., 0] = pose.forearm[..., 0] = np.pi - 2 * np.pi * both
    pose.arm[..., 1] = pose.forearm[..., 1] = 0.3
    kick = 0.3 * execution.reach * np.stack([swing(2 * execution.phase), -swing(2 * execution.phase)], axis=1)
    pose.thigh[..., 0] = pose.shin[..., 0] = kick
    pose.root[:, 1] = 0.5
    return pose


def climb(execution: Execution) -> Pose:
    pose, up = Pose.standing(len(execution.phase)), execution.reach * hump(execution.alternating())
    pose.arm[..., 0] = 1.6 + 1.2 * up
    pose.forearm[..., 0] = 2.4 + 0.6 * up
    pose.thigh[..., 0] = 0.3 + 1.0 * up[:, ::-1]
    pose.shin[..., 0] = pose.thigh[..., 0] - 0.9
    return pose


def skate(execution: Execution) -> Pose:
    pose, s = Pose.standing(len(execution.phase)), execution.reach * swing(execution.phase)
    crouch(pose, np.full_like(s, 0.45))
    out = np.stack([s, -s], axis=1).clip(0)  # (T, 2)
    pose.thigh[..., 1] = pose.shin[..., 1] = 0.1 + 0.8 * out
    pose.turn[:, 2] = 0.15 * s
    pose.arm[..., 0] = pose.forearm[..., 0] = 0.9 * s[:, None] * (-1, 1)
    return pose


def dig(execution: Execution) -> Pose:
    pose, u = Pose.standing(len(execution.phase)), execution.reach * hump(execution.phase)
    crouch(pose, 0.3 * (1 - u))
    pose.bend[:, 0] = 0.9 - 0.7 * u
    pose.turn[:, 0] = (1 if execution.lead else -1) * 0.8 * u
    pose.arm[..., 0] = pose.forearm[..., 0] = (0.6 + 0.9 * u)[:, None]
    return pose


def stir(execution: Execution) -> Pose:
    pose = Pose.standing(len(execution.phase))
    round_, across = np.cos(2 * np.pi * execution.phase), swing(execution.phase)
    pose.arm[:, execution.lead, 0] = 0.5 + 0.35 * execution.reach * round_
    pose.arm[:, execution.lead, 1] = 0.2 + 0.45 * execution.reach * across
    pose.forearm[:, execution.lead, 0] = 1.3 + 0.3 * execution.reach * round_
    pose.forearm[:, execution.lead, 1] = 0.6 * execution.reach * across
    return pose
