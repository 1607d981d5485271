"""The card of a synthetic world: world_card.html, one page with pictures, and its numbers as world_card.csv."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from multitrain.analysis.accuracy.metrics import SMOKE_TEST
from multitrain.analysis.accuracy.temporal_accuracy import Accuracy, accuracy, read_temporal, related_accuracy
from multitrain.analysis.datasets import world_pictures as pictures
from multitrain.analysis.datasets.contact_sheet import evenly_spaced
from multitrain.analysis.datasets.world_facts import Facts, dials, motions, read_facts, read_related
from multitrain.analysis.projections.class_relations import Relations
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.csv_files import write_frame
from multitrain.config.bias import REASONS, Bias
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.data.manifest import SPLITS

__all__ = ["write_card"]

TEMPLATES = Path(__file__).parent / "templates"
ORDERS = {
    "whole": "as it is",
    "static": "its middle frame, repeated",
    "shuffled": "its frames in another order",
    "reversed": "backwards",
}
COLUMNS = (
    *("scale", "dataset", "split", "what", "of", "value", "low", "high", "guess"),
    *("clips", "classes", "run", "seeds"),
)
SHOWN, MOVING, MOTIONS = 16, 2, 6  # classes with frames, and with a moving clip, of a dataset; motions side by side


@dataclass(frozen=True)
class Cards:
    """The data of the card."""

    split: str
    facts: dict[str, Facts]
    relations: Relations
    orders: dict[str, dict[str, Accuracy]]  # dataset: order of the frames: of its baseline
    related: dict[tuple[str, str], Accuracy | None]  # (model's dataset, clips' dataset)
    runs: dict[str, tuple[str, str]]  # dataset: its baseline, and its model of random initial weights


def write_card(
    scale: Scale, experiments: Experiments, seeds: tuple[int, ...], data: Path, results: Path, split: str = "val"
) -> None:
    """Write <results>/world_card.html and .csv; of several worlds that of the first seed.

    Reads manifests, clips, relations.csv and published.json of the scale's datasets, and of `multitrain temporal` the
    scores of every dataset's baseline, and of its model of random initial weights on every other dataset.

    Raises:
        UserError: the scale has no synthetic world, or a file is missing or damaged.
    """
    if not scale.related_datasets():
        raise UserError(f"scale {scale.name} has no synthetic world of its own: there is no card of real videos")
    seeds = scale.first_world(seeds)
    world = scale.world_of(seeds[0])
    facts = {name: read_facts(name, scale, data, world) for name in scale.datasets}
    relations = read_related(facts, scale, data, world)
    runs = {name: (experiments.baseline(name), experiments.baseline(name, scratch=True)) for name in facts}
    home = results / "runs" / scale.name
    orders = {name: _orders(home, runs[name][0], seeds, split, name) for name in facts}
    related = {
        (source, target): _related(home, runs[source][1], seeds, split, facts[source], facts[target], relations)
        for source in facts
        for target in facts
        if source != target
    }
    card = Cards(split, facts, relations, orders, related, runs)
    write_frame(results / "world_card.csv", pd.DataFrame(rows(card, scale), columns=COLUMNS), "%.2f")
    with atomic(results / "world_card.html") as temporary:
        temporary.write_text(page(card, scale, seeds), encoding="utf-8")


def _orders(home: Path, run: str, seeds: tuple[int, ...], split: str, name: str) -> dict[str, Accuracy]:
    scored = [read_temporal(home / run / f"seed{seed}" / f"temporal_{split}" / f"{name}.parquet") for seed in seeds]
    return {order: accuracy(scored, order) for order in ORDERS}


def _related(
    home: Path, run: str, seeds: tuple[int, ...], split: str, source: Facts, target: Facts, relations: Relations
) -> Accuracy | None:
    folders = [home / run / f"seed{seed}" / f"temporal_{split}" / f"{source.name}_on" for seed in seeds]
    scored = [read_temporal(folder / f"{target.name}.parquet") for folder in folders]
    first = scored[0]
    if (first.classes, first.clip_classes) != (source.classes, target.classes):
        raise UserError(f"{first.path}: of other classes than the manifests: run `multitrain temporal` again")
    matrix = relations.matrix(source.name, target.name, {each.name: each.classes for each in (source, target)})
    return related_accuracy(scored, matrix)


def rows(card: Cards, scale: Scale) -> list[dict]:
    """The numbers, a row each; accuracies in percent."""
    found = []

    def add(dataset: str, what: str, of: str, value: object, **more: object) -> None:
        found.append({"scale": scale.name, "dataset": dataset, "what": what, "of": of, "value": value, **more})

    for name, facts in card.facts.items():
        for order, its in card.orders[name].items():
            add(name, "top1", order, **_percent(its), split=card.split, run=card.runs[name][0])
        for (source, target), related in card.related.items():
            if source == name and related is not None:
                add(
                    name,
                    "top1 on related classes",
                    target,
                    **_percent(related),
                    split=card.split,
                    run=card.runs[name][1],
                )
        for split in SPLITS:
            add(name, "clips", split, facts.size(split), split=split)
            add(name, "videos", split, facts.size(split, "video_id"), split=split)
            add(name, "clips with a wrong label", split, facts.mislabelled(split), split=split)
            for label, count in facts.by_class(split):
                add(name, "clips of a class", label, count, split=split)
        for which, seconds in zip(("shortest", "median", "longest"), facts.seconds, strict=True):
            add(name, "seconds", which, seconds)
        for target, count in related_classes(card, name).items():
            add(name, "related classes", target, count)
    for dial in dials(biases(scale)):
        for name, value in dial.values.items():
            add(name, "bias", dial.name, value)
    return found


def related_classes(card: Cards, name: str) -> dict[str, int]:
    """How many classes of a dataset are related to one of each other dataset."""
    classes = {each: its.classes for each, its in card.facts.items()}
    others = [each for each in classes if each != name]
    return {other: int(card.relations.matrix(other, name, classes).any(axis=1).sum()) for other in others}


def _percent(found: Accuracy) -> dict:
    low, high = found.estimate.interval
    return {
        **{"value": 100 * found.estimate.value, "low": 100 * low, "high": 100 * high, "guess": 100 * found.guess},
        **{"clips": found.clips, "classes": found.classes, "seeds": found.estimate.seeds},
    }


def biases(scale: Scale) -> dict[str, Bias]:
    """The biases of the scale's world, by dataset."""
    return {name: scale.made_world.bias_of(name) for name in scale.datasets}


def page(card: Cards, scale: Scale, seeds: tuple[int, ...]) -> str:
    """The page, with all its pictures in it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("world_card.html.j2").render(
        css=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        scale=scale,
        smoke_test=SMOKE_TEST if scale.smoke_test else "",
        seeds=", ".join(map(str, seeds)),
        card=card,
        splits=SPLITS,
        orders=ORDERS,
        titles={name: facts.title for name, facts in card.facts.items()},
        percent=_percent,
        related={name: related_classes(card, name) for name in card.facts},
        dials=dials(biases(scale)),
        reasons=REASONS,
        motions=_motions(card),
        galleries={name: _gallery(facts, card.split) for name, facts in card.facts.items()},
    )


def _motions(card: Cards) -> list[dict[str, tuple[str, pictures.Picture | None]]]:
    """Motions in all datasets that have them: dataset -> (class, its clip moving)."""
    return [
        {name: (label, _moving(card.facts[name], card.split, label)) for name, label in group.items()}
        for group in motions(card.facts, card.relations, MOTIONS)
    ]


def _moving(facts: Facts, split: str, label: str) -> pictures.Picture | None:
    """The class's first clip of the split, or of train where that has none."""
    for each in (split, "train"):
        clips = facts.manifest.split(each)
        if clip := pictures.first_clip(clips, facts.classes.index(label)):
            return pictures.moving(clips, clip)
    return None


def _gallery(facts: Facts, split: str) -> dict:
    """Frames of some classes, and moving clips of a few of them."""
    clips = facts.manifest.split(split)
    chosen = [facts.classes[label] for label in evenly_spaced(len(facts.classes), SHOWN)]
    frames = {}
    for label in chosen:
        clip = pictures.first_clip(clips, facts.classes.index(label))
        frames[label] = clip and pictures.frames(clips, clip)
    playing = {
        chosen[place]: _moving(facts, split, chosen[place]) for place in evenly_spaced(len(chosen), 2 + MOVING)[1:-1]
    }
    return {"frames": frames, "playing": playing}
