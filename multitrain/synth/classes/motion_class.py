"""A class of a dataset, as motions with constraints on how they are carried out.

A class covers a set of cells: one cell is a motion with one value of each of its traits. All that is known about how
classes of different datasets relate follows from these sets.
"""

from dataclasses import dataclass
from itertools import product

from multitrain.synth.motions.objects import OBJECTS
from multitrain.synth.motions.registry import MOTIONS

__all__ = ["TRAITS", "Action", "Variant", "action"]

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

    def relation(self, other: "Action") -> str | None:
        """What this class is to the other: "same motion", "finer" (a part of it), "coarser", or nothing."""
        ours, theirs = self.cells(), other.cells()
        if ours == theirs:
            return "same motion"
        if ours < theirs:
            return "finer"
        return "coarser" if ours > theirs else None


def variant(text: str) -> Variant:
    """From "motion" or "motion/value/...": each value belongs to one trait only."""
    motion, *values = text.split("/")
    owner = {value: trait for trait, known in TRAITS.items() for value in known}
    made = Variant(motion, tuple((owner[value], value) for value in values))
    if not {trait for trait, _ in made.fixed} <= set(made.traits):
        raise ValueError(f"{text}: motion {motion} has no such trait")
    return made


def action(name: str, ways: str) -> Action:
    """From variants with spaces between them."""
    return Action(name, tuple(variant(text) for text in ways.split()))
