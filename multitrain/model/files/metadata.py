"""Metadata of a model file (its card): training data of each head, and provenance of the weights."""

from collections.abc import Collection, Mapping
from operator import attrgetter

from pydantic import Field, model_validator

from multitrain.config.base import Count, Name, Positive, Settings
from multitrain.config.scale import Dataset, Sampling, Views

__all__ = ["Card", "Frames", "Origin", "assumed_card", "checked_card", "make_card"]


class Frames(Settings):
    """Sampling and size of a head's input frames; heads with equal ones share a forward pass."""

    sampling: Sampling = Sampling()
    views: Views = Views()
    fps: Positive | None = Field(30.0, description="constant rate the videos were brought to; null: their own")
    grid: Count = Field(3, description="frames between two that a clip may take")
    short_side: Count | None = Field(320, description="pixels of the shorter side; null: files used as they are")


class HeadData(Settings):
    """The training data of a head: one dataset."""

    title: str = Field(description="name in tables")
    frames: Frames = Frames()
    synthetic: bool = Field(False, description="whether the videos it was trained on were rendered rather than filmed")


class Origin(Settings):
    """The training that made the weights."""

    run: str
    scale: str
    seed: int
    steps: int
    code: str = Field(description="hash of the numerical modules")


class Card(Settings):
    """The card of a network: training data of its heads, and provenance of its weights."""

    datasets: dict[Name, HeadData]
    origin: Origin | None = Field(None, description="null: not known, as for an imported checkpoint")
    assumed: bool = Field(False, description="nothing was recorded: these are the paper's values")

    @model_validator(mode="before")
    @classmethod
    def _of_each_head(cls, value: object) -> object:
        """Read `synthetic` of files before 2026-11-26, which have it once for the whole network."""
        if not isinstance(value, dict):
            return value
        origin = value.get("origin")
        if not (isinstance(origin, dict) and "synthetic" in origin and isinstance(value.get("datasets"), dict)):
            return value
        synthetic = origin["synthetic"]
        datasets = {
            name: {"synthetic": synthetic, **head} if isinstance(head, dict) else head
            for name, head in value["datasets"].items()
        }
        return value | {
            "datasets": datasets,
            "origin": {key: field for key, field in origin.items() if key != "synthetic"},
        }

    def note(self) -> str:
        """A warning sentence about heads trained on synthetic videos; "" if there are none."""
        titles = [head.title for head in self.datasets.values() if head.synthetic]
        if not titles:
            return ""
        if len(titles) == len(self.datasets):
            return "Trained on synthetic videos: of filmed ones it knows nothing."
        return f"Trained on synthetic videos, so that they know nothing of filmed ones: the heads {', '.join(titles)}."


# Bounds of a card's numbers: far beyond any that is written, but none that would keep a machine busy for days.
BOUNDS = {
    "views.temporal": (1, 1000),
    "sampling.stride": (1, 10_000),
    "fps": (0.01, 1000),
    "grid": (1, 10_000),
    "short_side": (1, 8192),
}


def frames_of(dataset: Dataset) -> Frames:
    """Sampling and size of the frames of a prepared dataset."""
    transcode = None if dataset.prepared else dataset.transcode
    return Frames(
        sampling=dataset.sampling,
        views=dataset.views,
        fps=transcode and transcode.fps,
        grid=dataset.grid,
        short_side=transcode and transcode.short_side,
    )


def make_card(datasets: Mapping[str, Dataset], origin: Origin | None = None, synthetic: Collection[str] = ()) -> Card:
    """The card of a network with these datasets' heads; `synthetic` names those whose videos were rendered."""
    heads = {
        name: HeadData(title=dataset.title, frames=frames_of(dataset), synthetic=name in synthetic)
        for name, dataset in datasets.items()
    }
    return Card(datasets=heads, origin=origin)


def assumed_card(names: Collection[str]) -> Card:
    """The card of a file without one: the paper's dense sampling, every third of 30 frames a second, one view."""
    return Card(datasets={name: HeadData(title=name) for name in names}, assumed=True)


def checked_card(card: Card, names: Collection[str]) -> Card:
    """The card that was read, checked: it is of exactly these datasets, with numbers within bounds.

    Raises:
        ValueError: it is not.
    """
    if set(card.datasets) != set(names):
        raise ValueError(f"the card speaks of {sorted(card.datasets)}, the heads are of {sorted(names)}")
    for name, head in card.datasets.items():
        for place, (low, high) in BOUNDS.items():
            value = attrgetter(place)(head.frames)
            if value is not None and not low <= value <= high:
                raise ValueError(f"the card's {name}.frames.{place} is {value:g}: it can be {low} to {high}")
    return card
