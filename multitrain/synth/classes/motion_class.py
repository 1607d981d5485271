"""A class of a dataset: motions with constraints on their traits.

A class covers a set of cells. A cell is a motion with one value of each of its traits. Relations between classes of
different datasets follow from these sets.
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
    """A motion with fixed values for some of its traits."""

    motion: str
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def traits(self) -> tuple[str, ...]:
        """Names of the motion's traits."""
        return (MOTIONS.get(self.motion) or OBJECTS[self.motion]).traits

    def cells(self) -> frozenset[Cell]:
        """Its combinations of trait values."""
        fixed = dict(self.fixed)
        choices = [(fixed[trait],) if trait in fixed else TRAITS[trait] for trait in self.traits]
        return frozenset((self.motion, values) for values in product(*choices))


@dataclass(frozen=True)
class Action:
    """A class of a dataset."""

    name: str
    variants: tuple[Variant, ...]

    def cells(self) -> frozenset[Cell]:
        """The cells of all its variants."""
        return frozenset().union(*(variant.cells() for variant in self.variants))

    def relation(self, other: "Action") -> str | None:
        """The relation to another class: "same motion", "finer" (this is a part of it), "coarser" or None."""
        ours, theirs = self.cells(), other.cells()
        if ours == theirs:
            return "same motion"
        if ours < theirs:
            return "finer"
        return "coarser" if ours > theirs else None


def variant(text: str) -> Variant:
    """A variant from its text, "motion" or "motion/value/..."; a value belongs to one trait only."""
    motion, *values = text.split("/")
    trait_of = {value: trait for trait, known in TRAITS.items() for value in known}
    parsed = Variant(motion, tuple((trait_of[value], value) for value in values))
    if not {trait for trait, _ in parsed.fixed} <= set(parsed.traits):
        raise ValueError(f"{text}: motion {motion} has no such trait")
    return parsed


def action(name: str, ways: str) -> Action:
    """A class from the texts of its variants, separated by spaces."""
    return Action(name, tuple(variant(text) for text in ways.split()))
