"""The synthetic datasets of a world: classes, biases, and relations between classes."""

from dataclasses import dataclass
from itertools import permutations

from multitrain.common.errors import UserError
from multitrain.config.bias import KINDS, Bias
from multitrain.config.scale import World
from multitrain.synth.classes.class_draw import draw
from multitrain.synth.classes.motion_class import Action

__all__ = ["DatasetSpec", "Relation", "relations", "spec", "specs"]


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset of one world."""

    name: str
    reader: str  # the publisher's format
    actions: tuple[Action, ...]  # in the publisher's order of labels
    bias: Bias
    seed: int  # the world's

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, by label."""
        return tuple(action.name for action in self.actions)


def specs(world: World) -> dict[str, DatasetSpec]:
    """All datasets of a world by name, also those that the scale does not use.

    Raises:
        UserError: the configuration has more relatives than classes can be related.
    """
    biases = {name: world.bias_of(name) for name in KINDS}
    drawn = draw(world.seed, {name: biases[name].relatives for name in ("mit", "ssv2", "actnet")})
    return {name: DatasetSpec(name, kind.reader, drawn[name], biases[name], world.seed) for name, kind in KINDS.items()}


def spec(dataset: str, world: World) -> DatasetSpec:
    """The dataset of that name, or a UserError that lists those there are."""
    if dataset not in KINDS:
        raise UserError(f"no synthetic dataset {dataset!r}; there are {', '.join(KINDS)}")
    return specs(world)[dataset]


@dataclass(frozen=True)
class Relation:
    """How a class of one dataset relates to a class of another: a row of relations.csv."""

    source_dataset: str
    source_class: str
    target_dataset: str
    target_class: str
    relation: str  # "same motion", "finer" (the source is a part of the target) or "coarser"


def relations(world: World) -> list[Relation]:
    """Every related pair of classes, for every ordered pair of datasets."""
    return [
        Relation(source.name, a.name, target.name, b.name, relation)
        for source, target in permutations(specs(world).values(), 2)
        for a in source.actions
        for b in target.actions
        if (relation := a.relation(b))
    ]
