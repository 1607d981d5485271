"""Random choice of the classes of a world's datasets from the catalogue, by the world's seed.

K400 comes first. Each other dataset has `relatives` (of its bias) classes that are related to one of K400's, and others
that share no motion with it. K700 is K400 with some classes split, and more classes.
"""

from collections.abc import Iterable

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.seeding import generator
from multitrain.config.bias import KINDS
from multitrain.synth.classes.catalogue import GERUNDS, OBJECT_GERUNDS, TEMPLATES, VERBS
from multitrain.synth.classes.motion_class import TRAITS, Action, Variant, action
from multitrain.synth.motions.objects import OBJECTS
from multitrain.synth.motions.registry import MOTIONS

__all__ = ["draw"]

SPLIT = 6  # classes of K400 that K700 splits into two
RELATED_WAYS = ("same motion", "coarser", "finer")  # relations of a class of ActivityNet to one of K400
CHANCES = (0.5, 0.3, 0.2)


def draw(seed: int, relatives: dict[str, int]) -> dict[str, tuple[Action, ...]]:
    """The classes of every dataset, in its publisher's order of labels; `relatives` is of mit, ssv2 and actnet.

    Raises:
        UserError: `relatives` of a dataset is more than can be related.
    """
    kind = KINDS["k400"]
    rng = generator(seed, "classes", "k400")
    figures = rng.permutation(list(GERUNDS)).tolist()
    things = rng.permutation(list(OBJECT_GERUNDS)).tolist()
    people, rest = figures[: kind.classes - kind.objects], figures[kind.classes - kind.objects :]
    k400 = [action(GERUNDS[name], name) for name in people]
    k400 += [action(OBJECT_GERUNDS[name], name) for name in things[: kind.objects]]
    return {
        "k400": _sorted(k400),
        "k700": _sorted(_larger(k400, rest, generator(seed, "classes", "k700"))),
        "mit": tuple(_verbs(k400, relatives["mit"], generator(seed, "classes", "mit"))),
        "ssv2": _sorted(_templates(things, kind.objects, relatives["ssv2"])),
        "actnet": _sorted(_activities(people, rest, relatives["actnet"], generator(seed, "classes", "actnet"))),
    }


def _sorted(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(sorted(actions, key=lambda action: action.name))


def _check_count(dataset: str, count: int, most: int, why: str) -> None:
    """Raise a UserError where `relatives` of a dataset is above `most`."""
    if count > most:
        raise UserError(f"world.bias.{dataset}.relatives: {count} is too many, {why}: at most {most}")


def _halves(whole: Action, trait: str) -> list[Action]:
    """A class of one motion split by one trait: a class for each of the trait's values."""
    (way,) = whole.variants
    names = [f"{whole.name}, {value}" for value in TRAITS[trait]]
    if trait == "direction":
        names = [template.replace("[something]", "something").lower() for template in TEMPLATES[way.motion]]
    halves = zip(names, TRAITS[trait], strict=True)
    return [Action(name, (Variant(way.motion, ((trait, value),)),)) for name, value in halves]


def _larger(k400: list[Action], rest: list[str], rng: np.random.Generator) -> list[Action]:
    """K700: K400 with some classes split, and more. No class is split by left and right, since clips are flipped."""
    splittable = [whole for whole in k400 if whole.variants[0].traits and whole.variants[0].motion in MOTIONS]
    objects = (whole for whole in k400 if whole.variants[0].motion in OBJECTS)
    splittable += [whole for whole in objects if whole.variants[0].motion not in SIDEWAYS]
    halved = [splittable[i] for i in rng.permutation(len(splittable))[:SPLIT]]
    classes = [whole for whole in k400 if whole not in halved]
    for whole in halved:
        classes += _halves(whole, whole.variants[0].traits[0])
    return classes + [action(GERUNDS[name], name) for name in rest[: KINDS["k700"].classes - len(classes)]]


SIDEWAYS = ("slide", "roll", "turn")  # a flip makes one direction the other


def _verbs(k400: list[Action], count: int, rng: np.random.Generator) -> list[Action]:
    """MiT: verbs related to a class of K400, and verbs without K400's motions; in random order, as the publisher's."""
    covered = frozenset().union(*(known.cells() for known in k400))
    related, unrelated = [], []
    for name in rng.permutation(list(VERBS)).tolist():
        whole = action(name, VERBS[name])
        if any(whole.relation(other) for other in k400):
            related.append(whole)
        kept = tuple(way for way in whole.variants if not way.cells() & covered)
        if kept:
            unrelated.append(Action(name, kept))
    _check_count("mit", count, len(related), "only so many verbs name a motion of this world's K400")
    chosen = related[:count]
    names = {verb.name for verb in chosen}
    chosen += [verb for verb in unrelated if verb.name not in names][: KINDS["mit"].classes - count]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _templates(things: list[str], shared: int, count: int) -> list[Action]:
    """SSv2: both directions of actions on things, of which K400 has the first `shared`."""
    if count % 2:
        raise UserError(f"world.bias.ssv2.relatives: {count} is odd: each template comes with its reverse")
    _check_count("ssv2", count, 2 * shared, "K400 has so few motions of things, each in two directions")
    pairs = things[: count // 2] + things[shared : shared + KINDS["ssv2"].classes // 2 - count // 2]
    return [
        action(template, f"{name}/{way}")
        for name in pairs
        for template, way in zip(TEMPLATES[name], TRAITS["direction"], strict=True)
    ]


def _activities(people: list[str], rest: list[str], count: int, rng: np.random.Generator) -> list[Action]:
    """ActivityNet: `count` classes that equal, contain or are a part of a class of K400, and others."""
    others = rng.permutation(rest).tolist()
    classes = []
    for name in rng.permutation(people)[:count].tolist():
        way = rng.choice(RELATED_WAYS, p=CHANCES)
        whole = action(GERUNDS[name].capitalize(), name)
        if way == "coarser":
            second = others.pop()
            whole = action(f"{GERUNDS[name].capitalize()} or {GERUNDS[second]}", f"{name} {second}")
        elif way == "finer" and whole.variants[0].traits:
            whole = _halves(whole, whole.variants[0].traits[0])[int(rng.integers(2))]
        classes.append(whole)
    return classes + [action(GERUNDS[name].capitalize(), name) for name in others[: KINDS["actnet"].classes - count]]
