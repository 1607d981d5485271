"""The settings of a synthetic world, the part `world` of a scale's file."""

from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from multitrain.common.errors import did_you_mean
from multitrain.config.base import Count, Name, Positive, Settings
from multitrain.config.bias import BIASES, KINDS, Bias

__all__ = ["Published", "World"]


class Published(Settings):
    """How many videos a synthetic publisher ships in each of its splits."""

    train: Count = Field(description="training videos")
    validation: Count = Field(description="videos of the validation split, which is scored")


class World(Settings):
    """The synthetic world that stands in for the publishers."""

    seed: int = Field(0, description="same seed, same frames")
    height: Count = Field(96, description="pixels of a published video")
    width: Count = Field(96, description="pixels of a published video")
    fps: Positive = Field(12.0, description="rate of a published video")
    videos: dict[Name, Published] = Field(description="videos a dataset; its clips for untrimmed ones are more")
    run_seeds: Count | None = Field(
        None,
        description="training seeds that share a world; 5: seeds 0 to 4 have world 0, seeds 5 to 9 world 1, made from "
        "the next world seed; null: one world for all",
    )
    bias: dict[Name, dict[str, Any]] = Field(
        {}, description="values of multitrain/config/bias.py that a dataset has instead"
    )

    @model_validator(mode="after")
    def _made(self) -> Self:
        for name in {**self.videos, **self.bias}:
            if name not in KINDS:
                raise ValueError(f"no synthetic dataset {name!r}; there are {', '.join(KINDS)}")
            try:
                bias = self.bias_of(name)
            except ValidationError as error:
                first = error.errors()[0]
                place, said = ".".join(map(str, ("bias", name, *first["loc"]))), first["msg"]
                if first["type"] == "extra_forbidden":
                    said = f"no such key: {did_you_mean(str(first['loc'][0]), Bias.model_fields)}"
                raise ValueError(f"{place}: {said.removeprefix('Value error, ')}") from None
            if bias.relatives > (classes := KINDS[name].classes):
                raise ValueError(f"bias.{name}.relatives: {bias.relatives} is more than its {classes} classes")
        return self

    def bias_of(self, dataset: str) -> Bias:
        """What varies in a dataset of this world."""
        return Bias.model_validate(BIASES[dataset].model_dump() | self.bias.get(dataset, {}))

    def number(self, world: int) -> "World":
        """The world of that number, whose classes, nuisances and videos come from a seed of its own."""
        return self.model_copy(update={"seed": self.seed + world})
