"""The classes of each dataset, as motions with constraints on how they are carried out.

A class covers a set of cells: one cell is a motion with one value of each of its traits. All that is known about how
classes of different datasets relate follows from these sets.
"""

from dataclasses import dataclass
from itertools import product

from multitrain.synth.motions import MOTIONS
from multitrain.synth.objects import OBJECTS

TRAITS: dict[str, tuple[str, str]] = {
    "pace": ("slow", "fast"),
    "reach": ("small", "large"),
    "sides": ("one", "both"),
    "direction": ("forward", "backward"),
}

Cell = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Variant:
    """A motion, and the values that some of its traits must have."""

    motion: str
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def traits(self) -> tuple[str, ...]:
        """Names of the motion's traits."""
        return (MOTIONS.get(self.motion) or OBJECTS[self.motion]).traits

    def cells(self) -> frozenset[Cell]:
        """Every way to carry it out."""
        fixed = dict(self.fixed)
        choices = [(fixed[trait],) if trait in fixed else TRAITS[trait] for trait in self.traits]
        return frozenset((self.motion, values) for values in product(*choices))


@dataclass(frozen=True)
class Action:
    """A class of a dataset."""

    name: str
    variants: tuple[Variant, ...]

    def cells(self) -> frozenset[Cell]:
        """Every way to carry it out."""
        return frozenset().union(*(variant.cells() for variant in self.variants))


def _variant(text: str) -> Variant:
    """From "motion" or "motion/value/...": each value belongs to one trait only."""
    motion, *values = text.split("/")
    owner = {value: trait for trait, known in TRAITS.items() for value in known}
    variant = Variant(motion, tuple((owner[value], value) for value in values))
    if not {trait for trait, _ in variant.fixed} <= set(variant.traits):
        raise ValueError(f"{text}: motion {motion} has no such trait")
    return variant


def _actions(table: dict[str, str]) -> tuple[Action, ...]:
    return tuple(Action(name, tuple(_variant(text) for text in ways.split())) for name, ways in table.items())


K400 = _actions(
    {
        "cartwheeling": "cartwheel",
        "clapping": "clap",
        "deadlifting": "deadlift",
        "dribbling basketball": "dribble",
        "golf driving": "golf",
        "hula hooping": "hula",
        "jogging": "run",
        "jumping jacks": "star_jump",
        "lunge": "lunge",
        "pull ups": "pull_up",
        "push up": "push_up",
        "side kick": "kick",
        "situp": "sit_up",
        "squat": "squat",
        "throwing ball": "throw",
        "waving hand": "wave",
    }
)

# All of K400, some of it split by pace, reach or sides, and three motions more. None is split by left and right:
# training flips its clips.
K700 = _actions(
    {
        "applauding": "clap/fast",
        "cartwheeling": "cartwheel",
        "crawling baby": "crawl",
        "deadlifting": "deadlift",
        "dribbling basketball": "dribble",
        "front raises": "raise_front",
        "full squat": "squat/large",
        "golf driving": "golf",
        "half jumping jacks": "star_jump/small",
        "half squat": "squat/small",
        "high side kick": "kick/large",
        "hula hooping": "hula",
        "jogging": "run/slow",
        "jumping jacks": "star_jump/large",
        "low side kick": "kick/small",
        "lunge": "lunge",
        "pull ups": "pull_up",
        "punching bag": "punch",
        "push up": "push_up",
        "situp": "sit_up",
        "slow clapping": "clap/slow",
        "sprinting": "run/fast",
        "throwing ball": "throw",
        "waving both hands": "wave/both",
        "waving one hand": "wave/one",
    }
)

MIT = _actions(
    {
        "clapping": "clap",
        "jumping": "star_jump leap",
        "spinning": "pirouette cartwheel turn",
        "falling": "topple/forward lift/backward",
        "exercising": "push_up sit_up squat lunge",
        "swinging": "hang_swing pendulum",
        "running": "run",
        "rising": "topple/backward lift/forward",
        "playing+sports": "throw golf",
        "bouncing": "dribble bounce",
        "shaking": "tremble shake",
        "kicking": "kick",
        "waving": "wave",
        "sliding": "slide",
    }
)

# In the publisher's order of indices, which is alphabetical. Each comes with its reverse in time.
SSV2 = _actions(
    {
        "Closing [something]": "lid/backward",
        "Covering [something] with [something]": "cover/forward",
        "Moving [something] away from the camera": "approach/backward",
        "Moving [something] towards the camera": "approach/forward",
        "Opening [something]": "lid/forward",
        "Picking [something] up": "lift/forward",
        "Pouring [something] into [something]": "pour/forward",
        "Pouring [something] out of [something]": "pour/backward",
        "Pushing [something] from left to right": "slide/forward",
        "Pushing [something] from right to left": "slide/backward",
        "Putting [something] down": "lift/backward",
        "Turning [something] clockwise": "turn/forward",
        "Turning [something] counterclockwise": "turn/backward",
        "Uncovering [something]": "cover/backward",
    }
)

ACTNET = _actions(
    {
        "Basketball drill": "dribble",
        "Cheering": "clap wave/both",
        "Doing crunches": "sit_up",
        "Doing kickboxing": "kick punch",
        "Doing star jumps": "star_jump",
        "Hula hoop": "hula",
        "Javelin throw": "throw",
        "Playing golf": "golf",
        "Running a marathon": "run",
        "Tumbling": "cartwheel",
        "Weightlifting": "deadlift squat",
    }
)
