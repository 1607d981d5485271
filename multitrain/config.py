"""Every setting, as frozen models. An unknown key is an error that names it.

A *scale* (config/scales/NAME.yaml) says what things are: datasets, model, recipes, test views. The *experiments*
(config/experiments.yaml) say what is run and which rows a table has, the same at every scale.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from multitrain.errors import UserError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Transcode(Settings):
    """How a prepared clip is written: H.264 laid out so that only every `stride`-th frame needs decoding."""

    short_side: Count = Field(320, description="pixels of the shorter side; a smaller video is not enlarged")
    fps: Positive | None = Field(30.0, description="constant rate of the prepared clip; null keeps the source's")
    stride: Count = Field(3, description="frames between two the sampler takes; the others are never references")
    keyint: Count = Field(48, description="frames between keyframes, a multiple of stride")
    crf: int = Field(20, ge=0, le=51, description="H.264 quality, lower is better")
    preset: str = Field("veryfast", description="x264 preset")

    @model_validator(mode="after")
    def _aligned(self):
        if self.keyint % self.stride:
            raise ValueError(f"keyint {self.keyint} is no multiple of stride {self.stride}")
        return self


class Views(Settings):
    """Test protocol: clips along time times crops along the longer side."""

    temporal: Count = 1
    spatial: Literal[1, 3] = 1


class Sampling(Settings):
    """Which frames of a video make a training clip."""

    kind: Literal["dense", "segment"] = Field(
        "dense", description="dense: random start, constant stride; segment: one frame of each of T equal segments"
    )
    stride: Count = Field(3, description="frames between two frames of a dense clip")


class Dataset(Settings):
    """One dataset of a scale: where it comes from, how it is prepared, sampled and tested."""

    title: str = Field(description="name in tables")
    letter: str = Field(description="the paper's letter in the column of training data")
    reader: Literal["kinetics", "activitynet", "ssv2", "mit"]
    raw: str | None = Field(None, description="folder with the publisher's files; null: <data>/<scale>/<dataset>/raw")
    holdout: Fraction = Field(0.0, description="part of the publisher's training videos set aside as val")
    clip_seconds: Positive = Field(10.0, description="longest clip cut from an annotated segment")
    transcode: Transcode = Transcode()
    sampling: Sampling = Sampling()
    views: Views = Views()
    flip: bool = Field(True, description="random horizontal flip in training; false where direction is the label")

    @model_validator(mode="after")
    def _layout(self):
        if self.sampling.kind == "dense" and self.sampling.stride % self.transcode.stride:
            raise ValueError(
                f"sampling.stride {self.sampling.stride} is no multiple of transcode.stride {self.transcode.stride}"
            )
        return self


class Published(Settings):
    """How many videos a synthetic publisher ships in each of its splits."""

    train: Count
    validation: Count


class World(Settings):
    """The synthetic world that stands in for the publishers."""

    seed: int = Field(0, description="same seed, same frames")
    height: Count = Field(96, description="pixels of a published video")
    width: Count = Field(96, description="pixels of a published video")
    fps: Positive = Field(12.0, description="rate of a published video")
    videos: dict[Name, Published] = Field(description="videos a dataset; its clips for untrimmed ones are more")


class Model(Settings):
    """MViTv2 with absolute separable positions, and the heads on it (paper, Section 3.1)."""

    frames: Count = 32
    channels: Count = Field(96, description="width of stage 1; doubles at each stage")
    depths: tuple[Count, ...] = Field((2, 3, 16, 3), description="blocks a stage")
    heads: Count = Field(1, description="attention heads of stage 1; doubles at each stage")
    patch_kernel: tuple[Count, Count, Count] = (3, 7, 7)
    patch_stride: tuple[Count, Count, Count] = (2, 4, 4)
    kv_stride: Count = Field(8, description="spatial stride of pooled keys and values in stage 1; halves a stage")
    mlp_ratio: Count = 4
    head_hidden: int = Field(2048, ge=0, description="hidden width of a dataset's MLP head; 0 for a linear head")
    head_dropout: Fraction = 0.5
    normalisation: Literal["constant", "clip"] = Field(
        "constant", description="constant: mean 0.45, std 0.225; clip: each clip to mean 0, std 1"
    )


class Recipe(Settings):
    """How a run is trained, and the open constants of the paper's losses."""

    epochs: Positive
    warmup_epochs: float = Field(ge=0)
    batch: int = Field(ge=2)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    rate: Positive = Field(description="peak learning rate")
    rate_ends: tuple[Fraction, Fraction] = Field((0.01, 0.01), description="of the peak: at the start, at the end")
    weight_decay: float = Field(0.05, ge=0)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    momentum: Fraction = 0.9
    clip_norm: Positive = 1.0
    label_smoothing: Fraction = 0.0
    drop_path: Fraction = 0.0
    crop_area: tuple[Positive, Positive] = Field((0.08, 1.0), description="random resized crop, part of the frame")
    crop_aspect: tuple[Positive, Positive] = (0.75, 1.3333333333333333)
    expander_hidden: Count = 4096
    embedding: Count = Field(768, description="width d of the expanded embedding Z'")
    variance_weight: float = Field(1.0, ge=0)
    covariance_weight: float = Field(1.0, ge=0)
    projection_std: float = Field(0.02, ge=0, description="standard deviation of the initial projection weights")
    sigma_rate: Positive = Field(1.0, description="learning rate of log sigma, as a multiple of the others'")


class Scale(Settings):
    """One file of config/scales."""

    name: Name
    world: World | None = Field(None, description="synthetic publishers; null: real files in each dataset's raw folder")
    datasets: dict[Name, Dataset]
    model: Model = Model()
    sizes: dict[Literal["base", "large"], Count] = Field(description="pixels of a clip's side: base and large")
    recipes: dict[Name, Recipe]
    gpus: int = Field(0, ge=0, description="accelerators a training asks the scheduler for")

    @model_validator(mode="after")
    def _complete(self):
        if set(self.sizes) != {"base", "large"}:
            raise ValueError("sizes needs both base and large")
        if self.world and set(self.world.videos) != set(self.datasets):
            raise ValueError(
                f"world.videos lists {sorted(self.world.videos)}, datasets are {sorted(self.datasets)}: they must agree"
            )
        return self

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name, or an error that lists those there are."""
        if name not in self.datasets:
            raise UserError(f"scale {self.name}: no dataset {name!r}; there are {', '.join(self.datasets)}")
        return self.datasets[name]

    def synthetic(self, name: str) -> bool:
        """Whether the raw files of a dataset are made here rather than brought by the user."""
        return self.world is not None and self.dataset(name).raw is None

    def related_datasets(self) -> tuple[str, ...]:
        """The datasets whose related classes the synthetic world lists: all, or none where some are real."""
        return tuple(self.datasets) if all(map(self.synthetic, self.datasets)) else ()

    def raw_folder(self, name: str, data: Path) -> Path:
        """Where a dataset's raw files lie: as its settings say, else in the data folder."""
        raw = self.dataset(name).raw
        return Path(raw) if raw else data / self.name / name / "raw"


class Run(Settings):
    """One training run; the loss switches default to Vanilla."""

    datasets: tuple[Name, ...] = Field(min_length=1)
    recipe: Name
    size: Literal["base", "large"] = "base"
    informative: bool = Field(False, description="variance and covariance terms, Eq. 2 and 3")
    projection: Literal["add", "separate", "none"] = Field("none", description="add: Eq. 4; separate: own branches")
    weighting: Literal["uncertainty", "fixed"] = Field("fixed", description="uncertainty: Eq. 6")
    init: Name | None = Field(None, description="run whose backbone gives the initial weights")
    steps_of: Name | None = Field(None, description="train for as many steps as that run takes, not for the epochs")


class Row(Settings):
    """A row of ours in a table: one run, or several single-dataset runs shown as one row."""

    method: str
    runs: tuple[Name, ...] = Field(min_length=1)


class Table(Settings):
    """A table of the paper: published rows as they stand, then ours."""

    title: str
    published: str = Field(description="file in resources/published")
    datasets: tuple[Name, ...]
    rows: tuple[Row, ...]


class ProjectionTable(Settings):
    """Table 4: the class pairs of the largest projection weights."""

    title: str
    published: str = Field(description="file in resources/published")
    runs: tuple[Name, ...] = Field(min_length=1, description="runs with projections, one after the other")


class Experiments(Settings):
    """config/experiments.yaml."""

    runs: dict[Name, Run]
    tables: dict[Name, Table]
    projections: ProjectionTable

    @model_validator(mode="after")
    def _references(self):
        for name, run in self.runs.items():
            if run.init is not None and run.init not in self.runs:
                raise ValueError(f"run {name}: init names {run.init!r}, which is no run")
            if run.steps_of is not None and (run.steps_of not in self.runs or self.runs[run.steps_of].steps_of):
                raise ValueError(f"run {name}: steps_of names {run.steps_of!r}, which is no run with epochs of its own")
            seen = [name]
            while (following := self.runs[seen[-1]].init) is not None:
                if following in seen:
                    raise ValueError(f"run {name}: init goes in a circle: {' -> '.join([*seen, following])}")
                seen.append(following)
        for name, table in self.tables.items():
            for row in table.rows:
                unknown = [run for run in row.runs if run not in self.runs]
                if unknown:
                    raise ValueError(f"table {name}, row {row.method!r}: no run {', '.join(unknown)}")
        for name in self.projections.runs:
            if name not in self.runs or self.runs[name].projection == "none":
                raise ValueError(f"projections: {name!r} is no run with projections")
        return self

    def run(self, name: str) -> Run:
        """The run of that name, or an error that lists those there are."""
        if name not in self.runs:
            raise UserError(f"no run {name!r} in the experiments; there are {', '.join(self.runs)}")
        return self.runs[name]

    def shown_runs(self, *tables: str) -> tuple[str, ...]:
        """The runs that some tables show, each once, in their order; without a name, that any table does."""
        rows = [row for name in tables or self.tables for row in self.tables[name].rows]
        return tuple(dict.fromkeys(name for row in rows for name in row.runs))

    def joint_runs(self) -> tuple[str, ...]:
        """The runs of the tables that train on more than one dataset."""
        return tuple(name for name in self.shown_runs() if len(self.runs[name].datasets) > 1)

    def projecting_runs(self) -> tuple[str, ...]:
        """The runs of the tables that have projections."""
        return tuple(name for name in self.shown_runs() if self.runs[name].projection != "none")

    def run_of(self, table: Table, method: str, dataset: str) -> str | None:
        """The run that a table's row of that method shows for a dataset; None leaves the cell empty, as the paper does.

        Raises:
            UserError: the table has no such row, or more than one run for that cell.
        """
        rows = [row for row in table.rows if row.method == method]
        if not rows:
            there = ", ".join(row.method for row in table.rows)
            raise UserError(f"{table.title}: no row {method!r}; its rows are {there}")
        found = [name for row in rows for name in row.runs if dataset in self.run(name).datasets]
        if len(found) > 1:
            raise UserError(f"row {method!r}: {dataset} is in more than one of its runs: {', '.join(found)}")
        return found[0] if found else None


class Project(Settings):
    """config/config.yaml: what a user changes first."""

    scale: Name = Field("mini", description="a file of config/scales")
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="each run is repeated with each seed")
    data: str = Field("data", description="folder of raw files and prepared clips")
    results: str = Field("results", description="folder of runs, tables and figures")
