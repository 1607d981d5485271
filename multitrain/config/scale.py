"""Settings of a scale (config/scales/NAME.yaml): datasets, model, recipes, machine; and of the project (config.yaml).

Runs and tables, the same at every scale, are in multitrain/config/experiments.py.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from multitrain.common.errors import UserError
from multitrain.config.base import Count, Folder, Fraction, Name, Positive, Seeds, Settings
from multitrain.config.bias import KINDS
from multitrain.config.model_settings import Backbone, Model
from multitrain.config.recipes import Machine, Recipe
from multitrain.config.world_settings import Published, World

__all__ = ["Dataset", "Download", "Limits", "Model", "Project", "Sampling", "Scale", "Transcode", "Views", "World"]

NOT_DECIDING = {"title", "paper_letter", "raw", "download", "limits"}  # keys of a dataset that change no number
MOST_SEGMENTS = 4  # annotated in an untrimmed synthetic video, at most


class Transcode(Settings):
    """How a prepared clip is written: H.264 laid out so that only every `stride`-th frame needs decoding."""

    short_side: Count = Field(320, description="pixels of the shorter side; a smaller video is not enlarged")
    fps: Positive | None = Field(30.0, description="constant rate of the prepared clip; null keeps the source's")
    stride: Count = Field(3, description="frames between two the sampler takes; the others are never references")
    keyint: Count = Field(48, description="frames between keyframes, a multiple of stride")
    crf: int = Field(20, ge=0, le=51, description="H.264 quality, lower is better")
    preset: str = Field("veryfast", description="x264 preset")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if self.keyint % self.stride:
            raise ValueError(f"keyint {self.keyint} is no multiple of stride {self.stride}")
        return self


class Limits(Settings):
    """What one source video may cost; beyond, it is refused and listed."""

    seconds: Positive = Field(600.0, description="of wall-clock time for one clip; then its video's decoder is ended")
    pixels: Count = Field(8192 * 4320, description="of a frame")
    minutes: Positive = Field(360.0, description="length of a video")


class Download(Settings):
    """Where a publisher's files are fetched from; without it the user brings them."""

    base_url: str = Field("", description="prefix of the addresses below")
    annotations: dict[str, str] = Field({}, description="file name in raw/annotations: its address after the prefix")
    train: str | None = Field(None, description="list of the training archives, an address a line")
    val: str | None = Field(None, description="list of the validation archives")
    replacement: str | None = Field(None, description="archive of videos that replace damaged ones")
    videos: bool = Field(False, description="fetch each annotated video from its own address with yt-dlp")
    max_archives: Count = Field(2, description="archives that may lie on the disk at once")
    keep_archives: bool = Field(False, description="archives stay when they have been read")
    attempts: Count = Field(8, description="tries of one file before giving up")


class Views(Settings):
    """Test protocol: clips along time times crops along the longer side."""

    temporal: Count = Field(1, description="clips along time")
    spatial: Literal[1, 3] = Field(1, description="crops: 1, the middle; 3, both ends as well")


class Sampling(Settings):
    """Which frames of a video make a training clip."""

    kind: Literal["dense", "segment"] = Field(
        "dense", description="dense: random start, constant stride; segment: one frame of each of T equal segments"
    )
    stride: Count = Field(3, description="frames between two frames of a dense clip")


class Dataset(Settings):
    """One dataset of a scale: where it comes from, how it is prepared, sampled and tested."""

    title: str = Field(description="name in tables")
    paper_letter: str = Field("", description="the paper's letter for it as training data; empty: its title stands")
    reader: Literal["kinetics", "activitynet", "ssv2", "mit", "list", "folder"] = Field(
        description="publisher's format; list: `path label` a line; folder: a folder of videos a class"
    )
    raw: str | None = Field(None, description="folder with the publisher's files; null: <data>/<scale>/<dataset>/raw")
    download: Download | None = Field(None, description="fetch the files into that folder; null: they are brought")
    classes_file: str | None = Field(None, description="reader list: file of class names, relative to the raw folder")
    labels: Literal["one", "first"] = Field(
        "one", description="reader list: one label a line; first: several a line, of which the first counts"
    )
    prepared: bool = Field(False, description="reader list: the files are used as they are, without transcoding")
    limits: Limits = Limits()
    fraction: float = Field(1.0, gt=0, le=1, description="part of each class's videos that is used, in every split")
    holdout: Fraction = Field(0.0, description="part of the publisher's training videos set aside as val")
    clip_seconds: Positive = Field(10.0, description="longest clip cut from an annotated segment")
    transcode: Transcode = Transcode()
    sampling: Sampling = Sampling()
    views: Views = Views()
    flip: bool = Field(True, description="random horizontal flip in training; false where direction is the label")

    @property
    def grid(self) -> int:
        """Frames between two that a clip may take: the stride of files laid out by us, else 1."""
        return 1 if self.prepared else self.transcode.stride

    @model_validator(mode="after")
    def _layout(self) -> Self:
        if self.sampling.kind == "dense" and self.sampling.stride % self.grid:
            raise ValueError(f"sampling.stride {self.sampling.stride} is no multiple of transcode.stride {self.grid}")
        if (self.reader == "list") != (self.classes_file is not None):
            raise ValueError("reader list needs classes_file, and the other readers have their class names")
        if self.prepared and self.reader != "list":
            raise ValueError("prepared is for reader list: other publishers' files have to be transcoded")
        return self


class Scale(Settings):
    """One file of config/scales."""

    name: Name = Field(description="the file's name without .yaml")
    world: World | None = Field(None, description="synthetic publishers; null: real files in each dataset's raw folder")
    datasets: dict[Name, Dataset] = Field(description="by the name that runs have for it")
    model: Model = Model()
    backbones: dict[Name, Backbone] = Field(
        {}, exclude_if=lambda others: not others, description="other backbones for runs, by the name they have for them"
    )
    sizes: dict[Literal["base", "large"], Count] = Field(description="pixels of a clip's side: base and large")
    recipes: dict[Name, Recipe] = Field(description="by name; one with a run's name is that run's alone")
    machine: Machine = Machine()
    remark: str = Field("", description="what a reader of its tables has to know")
    smoke_test: bool = Field(False, description="every table says that no number of this scale means anything")
    clips_of: Name | None = Field(
        None,
        exclude_if=lambda name: name is None,
        description="scale whose prepared clips it takes, of the same world and datasets; null: its own",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.sizes) != {"base", "large"}:
            raise ValueError(f"sizes needs both base and large, and has {', '.join(self.sizes) or 'none'}")
        for name, recipe in self.recipes.items():
            self.machine.check_batch(recipe, f"recipes.{name}: ")
        for name, other in self.backbones.items():
            try:
                self.model.with_backbone(other)
            except ValueError as error:
                raise ValueError(f"backbones.{name}: {error}") from None
        if self.world:
            self._check_videos(self.world.videos)
        return self

    def _check_videos(self, videos: Mapping[str, Published]) -> None:
        """Raises a ValueError where the world's videos are too few, or not of the datasets that are made."""
        made = {name for name, dataset in self.datasets.items() if dataset.raw is None}
        for name in sorted(made & set(videos)):
            if (count := videos[name].train) < (classes := KINDS[name].classes):
                raise ValueError(
                    f"world.videos.{name}.train: {count} videos leave some of {classes} classes without one: "
                    f"{classes} or more are needed"
                )
        if not made <= set(videos) <= set(self.datasets):
            raise ValueError(
                f"world.videos lists {sorted(videos)}, datasets without raw files are {sorted(made)}: they must agree"
            )

    @property
    def made_world(self) -> World:
        """The synthetic world of a scale that has one."""
        assert self.world is not None, f"scale {self.name} has no synthetic world"
        return self.world

    @property
    def several_worlds(self) -> bool:
        """Whether groups of training seeds have worlds of their own."""
        return self.world is not None and self.world.run_seeds is not None

    def world_of(self, seed: int) -> int:
        """The number of the world in which runs of a training seed are trained and tested; 0 where there is one."""
        return seed // self.world.run_seeds if self.world and self.world.run_seeds else 0

    def worlds(self, seeds: Iterable[int]) -> tuple[int, ...]:
        """The worlds of some training seeds, each once, in the order of the seeds."""
        return tuple(dict.fromkeys(map(self.world_of, seeds)))

    def by_world(self, seeds: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Some training seeds, sorted into their worlds."""
        listed = tuple(seeds)
        return {world: tuple(s for s in listed if self.world_of(s) == world) for world in self.worlds(listed)}

    def first_world(self, seeds: Iterable[int]) -> tuple[int, ...]:
        """Those of the seeds that have the first one's world, whose classes the results by class are of."""
        return next(iter(self.by_world(seeds).values()), ())

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name, or an error that lists those there are."""
        if name not in self.datasets:
            raise UserError(f"scale {self.name}: no dataset {name!r}; there are {', '.join(self.datasets)}")
        return self.datasets[name]

    def backbone_of(self, name: str | None) -> Backbone:
        """The backbone that a run names: one of `backbones`, or any other; None is the model's."""
        return self.model if name is None else self.backbones.get(name) or Backbone(backbone=name)

    def model_of(self, recipe: Recipe, backbone: str | None = None) -> Model:
        """The model of a run: its heads may be linear, its backbone another; without the file of initial weights."""
        model = self.model if backbone is None else self.model.with_backbone(self.backbone_of(backbone))
        changed = {"backbone_weights": None} | ({"head_hidden": 0} if recipe.head == "linear" else {})
        return model.model_copy(update=changed)

    def synthetic(self, name: str) -> bool:
        """Whether the raw files of a dataset are made here rather than brought by the user."""
        return self.world is not None and self.dataset(name).raw is None

    def most_training_clips(self, name: str) -> int:
        """The largest possible number of training clips of a synthetic dataset: each class keeps one video at least."""
        dataset = self.dataset(name)
        used = dataset.fraction * self.made_world.videos[name].train
        videos = int((1 - dataset.holdout) * used) + KINDS[name].classes
        return videos * (MOST_SEGMENTS if dataset.reader == "activitynet" else 1)

    def related_datasets(self) -> tuple[str, ...]:
        """The datasets whose related classes the synthetic world lists: all, or none where some are real."""
        return tuple(self.datasets) if all(map(self.synthetic, self.datasets)) else ()

    def in_world(self, name: str, world: int) -> str:
        """`world1/NAME` of a scale with several worlds, else the name as it is."""
        return f"world{world}/{name}" if self.several_worlds else name

    def worlds_on_disk(self, data: Path) -> tuple[int, ...]:
        """The worlds of which anything has been made, or the first."""
        folders = (data / self.clips_scale).glob("world[0-9]*") if self.several_worlds else ()
        numbers = (folder.name.removeprefix("world") for folder in folders)
        return tuple(sorted(int(number) for number in numbers if number.isdecimal())) or (0,)

    @property
    def clips_scale(self) -> str:
        """The scale in whose folder of data the prepared clips lie: its own, or that of `clips_of`."""
        return self.clips_of or self.name

    @property
    def place(self) -> str:
        """The folder of a dataset's clips below the scale's data, a pattern of `dataset` and, of several, `world`."""
        return "world{world}/{dataset}" if self.several_worlds else "{dataset}"

    def clips_folder(self, name: str, data: Path, world: int = 0) -> Path:
        """The folder of a dataset's clips and manifest: DATA/SCALE/DATASET, or DATA/SCALE/worldN/DATASET.

        Raises:
            UserError: no such dataset, or a world other than 0 of a scale that has one.
        """
        if world and not self.several_worlds:
            raise UserError(f"scale {self.name} has no world {world}: leave --world out, or set world.run_seeds")
        return data / self.clips_scale / self.in_world(name, world)

    def raw_folder(self, name: str, data: Path, world: int = 0) -> Path:
        """The folder of a dataset's raw files: that of its settings, else one in the data folder."""
        raw = self.dataset(name).raw
        return Path(raw) if raw else self.clips_folder(name, data, world) / "raw"

    @property
    def fingerprint(self) -> str:
        """A hash of the settings that change numbers, without keys at their default."""
        values = self.model_dump(
            mode="json", exclude={"name", "remark", "smoke_test", "clips_of"}, exclude_defaults=True
        )
        values["machine"] = self.machine.precision
        if self.world:  # what a dataset has by default decides as much as what the scale's file changes
            values["world"]["bias"] = {name: self.world.bias_of(name).model_dump(mode="json") for name in KINDS}
        for dataset in values["datasets"].values():
            for key in NOT_DECIDING & dataset.keys():
                del dataset[key]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


class Project(Settings):
    """config/config.yaml: what a user changes first."""

    scale: str = Field(
        "mini",
        pattern=r"^[a-z][a-z0-9_]*(,machine\..+)?$",
        description="a file of config/scales; keys of its machine may follow: `desk,machine.precision=bf16`",
    )
    seeds: Seeds = Field((0,), description="each run is repeated with each seed: different whole numbers from 0 on")
    exclude_leaks: bool = Field(True, description="leave out training clips of videos that a joint run is tested on")
    pretrained: dict[Name, str] = Field(
        {}, description="model file or release's .pyth whose backbone stands in for that run's as initial weights"
    )
    tensorboard: bool = Field(False, description="trainings also write event files; `multitrain[tensorboard]`")
    data: Folder = Field("data", description="folder of raw files and prepared clips")
    results: Folder = Field("results", description="folder of runs, tables and figures")
