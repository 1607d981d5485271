"""What a model file says beside its weights: what each head was shown, and where the weights come from."""

from collections.abc import Collection, Mapping
from operator import attrgetter

from pydantic import Field, model_validator

from multitrain.config.base import Count, Name, Positive, Settings
from multitrain.config.scale import Dataset, Sampling, Views

__all__ = ["Card", "Frames", "Origin", "assumed_card", "checked_card", "make_card"]


class Frames(Settings):
    """Which pixels of a video a head sees; heads with the same one share a forward pass."""

    sampling: Sampling = Sampling()
    views: Views = Views()
    fps: Positive | None = Field(30.0, description="constant rate the videos were brought to; null: their own")
    grid: Count = Field(3, description="frames between two that a clip may take")
    short_side: Count | None = Field(320, description="pixels of the shorter side; null: files used as they are")


class HeadData(Settings):
    """One dataset a head was trained on."""

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
    """All a person or a program needs to use a network's heads as they were trained."""

    datasets: dict[Name, HeadData]
    origin: Origin | None = Field(None, description="null: not known, as for an imported checkpoint")
    assumed: bool = Field(False, description="nothing was recorded: these are the paper's values")

    @model_validator(mode="before")
    @classmethod
    def _of_each_head(cls, value: object) -> object:
        """Files of before 2026-11-26 say once, of the whole network, whether its videos were rendered."""
        if not isinstance(value, dict):
            return value
        origin = value.get("origin")
        if not (isinstance(origin, dict) and "synthetic" in origin and isinstance(value.get("datasets"), dict)):
            return value
        said = origin["synthetic"]
        datasets = {
            name: {"synthetic": said, **seen} if isinstance(seen, dict) else seen
            for name, seen in value["datasets"].items()
        }
        return value | {
            "datasets": datasets,
            "origin": {key: its for key, its in origin.items() if key != "synthetic"},
        }

    def note(self) -> str:
        """A sentence about the heads that know rendered videos alone; "" where there are none."""
        titles = [seen.title for seen in self.datasets.values() if seen.synthetic]
        if not titles:
            return ""
        if len(titles) == len(self.datasets):
            return "Trained on synthetic videos: of filmed ones it knows nothing."
        return f"Trained on synthetic videos, so that they know nothing of filmed ones: the heads {', '.join(titles)}."


# What a reader believes of a card: far beyond any that is written, but no number that keeps a machine busy for days.
BOUNDS = {
    "views.temporal": (1, 1000),
    "sampling.stride": (1, 10_000),
    "fps": (0.01, 1000),
    "grid": (1, 10_000),
    "short_side": (1, 8192),
}


def frames_of(dataset: Dataset) -> Frames:
    """What the clips of a prepared dataset are, and how they are sampled."""
    written = None if dataset.prepared else dataset.transcode
    return Frames(
        sampling=dataset.sampling,
        views=dataset.views,
        fps=written and written.fps,
        grid=dataset.grid,
        short_side=written and written.short_side,
    )


def make_card(datasets: Mapping[str, Dataset], origin: Origin | None = None, synthetic: Collection[str] = ()) -> Card:
    """The card of a network with these datasets' heads; `synthetic` names those whose videos were rendered."""
    seen = {
        name: HeadData(title=dataset.title, frames=frames_of(dataset), synthetic=name in synthetic)
        for name, dataset in datasets.items()
    }
    return Card(datasets=seen, origin=origin)


def assumed_card(names: Collection[str]) -> Card:
    """For a file that says nothing: the paper's dense sampling, every third of 30 frames a second, one view."""
    return Card(datasets={name: HeadData(title=name) for name in names}, assumed=True)


def checked_card(card: Card, names: Collection[str]) -> Card:
    """The card that was read, where it speaks of these datasets and no others, in numbers that can be.

    Raises:
        ValueError: it does not.
    """
    if set(card.datasets) != set(names):
        raise ValueError(f"the card speaks of {sorted(card.datasets)}, the heads are of {sorted(names)}")
    for name, seen in card.datasets.items():
        for place, (low, high) in BOUNDS.items():
            value = attrgetter(place)(seen.frames)
            if value is not None and not low <= value <= high:
                raise ValueError(f"the card's {name}.frames.{place} is {value:g}: it can be {low} to {high}")
    return card
