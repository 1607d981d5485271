"""The figure's motions by name, each with its best view, speed, traits and prop."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from multitrain.synth.motions import actions, exercises, routines
from multitrain.synth.motions.execution import Execution
from multitrain.synth.motions.figure import Pose

__all__ = ["MOTIONS"]

SIDE, FRONT, OBLIQUE = np.pi / 2, 0.0, 0.7  # camera yaw in radians from which a motion is seen best


@dataclass(frozen=True)
class Motion:
    """A motion of the figure."""

    pose: Callable[[Execution], Pose]
    yaw: float  # radians, the camera's best view
    rate: float  # cycles a second at tempo 1; 0 for a motion that happens once
    traits: tuple[str, ...] = ()
    prop: str | None = None
    hanging: bool = False


MOTIONS: dict[str, Motion] = {
    "star_jump": Motion(exercises.star_jump, FRONT, 0.8, ("reach",)),
    "leap": Motion(exercises.leap, OBLIQUE, 0.7),
    "squat": Motion(exercises.squat, 1.1, 0.7, ("reach",)),
    "lunge": Motion(exercises.lunge, SIDE, 0.7),
    "push_up": Motion(exercises.push_up, SIDE, 0.8),
    "sit_up": Motion(exercises.sit_up, SIDE, 0.6),
    "crawl": Motion(exercises.crawl, SIDE, 0.9),
    "run": Motion(actions.run, SIDE, 1.1, ("pace",)),
    "kick": Motion(actions.kick, FRONT, 0.7, ("reach",)),
    "punch": Motion(actions.punch, OBLIQUE, 0.9),
    "wave": Motion(actions.wave, FRONT, 1.0, ("sides",)),
    "clap": Motion(actions.clap, FRONT, 1.0, ("pace",)),
    "raise_front": Motion(exercises.raise_front, OBLIQUE, 0.7, (), "dumbbells"),
    "throw": Motion(actions.throw, SIDE, 0.6, (), "ball"),
    "golf": Motion(actions.golf, FRONT, 0.5, (), "club"),
    "dribble": Motion(actions.dribble, OBLIQUE, 1.0, (), "bouncing ball"),
    "hula": Motion(actions.hula, FRONT, 0.9, (), "hoop"),
    "deadlift": Motion(exercises.deadlift, OBLIQUE, 0.6, (), "barbell"),
    "pull_up": Motion(exercises.pull_up, FRONT, 0.6, (), "bar", hanging=True),
    "hang_swing": Motion(exercises.hang_swing, SIDE, 0.6, (), "bar", hanging=True),
    "cartwheel": Motion(exercises.cartwheel, FRONT, 0.6),
    "pirouette": Motion(actions.pirouette, FRONT, 0.7),
    "topple": Motion(actions.topple, FRONT, 0.0, ("direction",)),
    "tremble": Motion(actions.tremble, FRONT, 1.4),
    "march": Motion(routines.march, OBLIQUE, 0.9, ("pace",)),
    "bow": Motion(routines.bow, SIDE, 0.6, ("reach",)),
    "side_bend": Motion(routines.side_bend, FRONT, 0.6, ("reach",)),
    "windmill": Motion(routines.windmill, SIDE, 0.8, ("pace",)),
    "row": Motion(routines.row, SIDE, 0.7, (), "club"),
    "pedal": Motion(routines.pedal, SIDE, 0.9),
    "hop": Motion(routines.hop, OBLIQUE, 0.8),
    "twist": Motion(routines.twist, FRONT, 0.9),
    "drum": Motion(routines.drum, OBLIQUE, 1.3),
    "saw": Motion(routines.saw, SIDE, 1.0, ("pace",)),
    "front_crawl": Motion(routines.front_crawl, SIDE, 0.7),
    "climb": Motion(routines.climb, OBLIQUE, 0.8),
    "skate": Motion(routines.skate, FRONT, 0.7),
    "dig": Motion(routines.dig, OBLIQUE, 0.6, (), "club"),
    "stir": Motion(routines.stir, OBLIQUE, 0.9, ("pace",)),
}
