"""PyTorch datasets of clips: from prepared datasets, decoded, sampled, cropped and augmented."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import as_path
from multitrain.common.seeding import generator
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Dataset, Sampling, Views
from multitrain.data.cache import FrameCache
from multitrain.data.decode import read_frames
from multitrain.data.manifest import Manifest, read_manifest
from multitrain.data.sampling import dense, random_start, segments, view_starts
from multitrain.data.transforms import as_frames, augment, view_crops

__all__ = ["COLUMNS", "Batch", "Source", "TrainClips", "ViewClips", "collate", "open_source", "view_indices"]

COLUMNS = ("clip_id", "path", "label", "frames", "fps")  # of the manifest, kept in memory


@dataclass(frozen=True)
class Batch:
    """B clips of any datasets; in training a step's batch or a micro-batch of it."""

    video: Tensor  # (B, 3, T, H, W) uint8, 0..255; not yet normalised
    label: Tensor  # (B,) class within the clip's own dataset
    dataset: Tensor  # (B,) index into the run's datasets
    clip_ids: tuple[str, ...]
    rows: Tensor  # (B,) int64, the clips' positions in the step's whole batch

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its video and rows on a device.

        Labels stay on the processor: the losses select rows by them, which on an accelerator would wait for it.
        """
        video, rows = (tensor.to(device, non_blocking=True) for tensor in (self.video, self.rows))
        return replace(self, video=video, rows=rows)

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory; PyTorch's loader calls this method."""
        return replace(self, video=self.video.pin_memory(), rows=self.rows.pin_memory())


@dataclass(frozen=True)
class Sample:
    """One clip of a batch: (3, T, H, W) in training, (V, 3, T, H, W) with its V test views."""

    video: Tensor
    label: int
    dataset: int
    clip_id: str


class Source:
    """The clips of one split of one prepared dataset."""

    def __init__(self, settings: Dataset, manifest: Manifest, left_out: int = 0):
        self.settings, self.folder, self.classes = settings, Path(manifest.folder), manifest.classes
        self.left_out = left_out  # clips of the split that were left out
        self.columns = manifest.table.select(COLUMNS)
        self._mapped: tempfile._TemporaryFileWrapper | None = None  # file of the columns, made at the first pickling

    def __len__(self) -> int:
        return len(self.columns)

    def __getstate__(self) -> dict:
        """Pickle for a spawned worker: columns go into a file that all workers map, instead of a copy each."""
        if self._mapped is None:
            self._mapped = _as_file(self.columns)
        return {**self.__dict__, "columns": self._mapped.name, "_mapped": None}

    def __setstate__(self, state: dict) -> None:
        columns = pa.ipc.open_file(pa.memory_map(state["columns"])).read_all()
        self.__dict__.update(state, columns=columns)

    def value(self, column: str, row: int) -> Any:
        """One cell of the Arrow columns; no Python list of clips is made."""
        return self.columns[column][row].as_py()

    def read(self, row: int, indices: np.ndarray) -> Tensor:
        """Frames (T, 3, H, W) uint8 of one clip."""
        path = self.folder / as_path(self.value("path", row))
        return as_frames(read_frames(path, indices, self.value("fps", row), self.settings.grid))


def open_source(settings: Dataset, manifest: Path | str, split: str = "train") -> Source:
    """The clips of one split of a prepared dataset, by its manifest.parquet and its settings in a scale.

    Raises:
        UserError: no such manifest or split, or the split has no clip.
    """
    clips = read_manifest(Path(manifest), COLUMNS).split(split)
    if not len(clips):
        raise UserError(f"{manifest}: no clip in split {split}: see missing.csv beside it")
    return Source(settings, clips)


def _as_file(table: pa.Table) -> tempfile._TemporaryFileWrapper:
    """The table in a temporary Arrow file, removed with its handle; processes that have mapped it keep it."""
    file = tempfile.NamedTemporaryFile(prefix="multitrain-", suffix=".arrow")  # noqa: SIM115  the caller keeps it
    try:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        file.flush()
    except OSError as error:
        raise UserError(
            f"{file.name}: the list of clips cannot be written ({error}): make room or set TMPDIR"
        ) from None
    return file


class Clips(TorchDataset):
    """Clips of several sources under one index, in order; each source has its own sampling and views."""

    def __init__(self, sources: Sequence[Source], frames: int, size: int):
        self.sources, self.frames, self.size = tuple(sources), frames, size
        self.ends = np.cumsum([len(source) for source in self.sources])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """(source, row) of an index."""
        which = int(np.searchsorted(self.ends, index, side="right"))
        return which, index - (int(self.ends[which - 1]) if which else 0)

    def _sample(self, which: int, row: int, video: Tensor) -> Sample:
        source = self.sources[which]
        return Sample(video, source.value("label", row), which, source.value("clip_id", row))


class TrainClips(Clips):
    """Augmented training clips by (epoch, index): the same pair always gives the same pixels."""

    def __init__(self, sources: Sequence[Source], frames: int, size: int, recipe: Recipe, seed: int, cache_mb: int = 0):
        super().__init__(sources, frames, size)
        self.recipe, self.seed, self.cache = recipe, seed, FrameCache(cache_mb * 1_000_000)

    def __getitem__(self, item: tuple[int, int]) -> list[Sample]:
        """The `recipe.repeats` clips of one video.

        As in the release, they have the same frames and differ in augmentation.
        """
        epoch, index = item
        names = [("clip", epoch, index), *(("clip", epoch, index, repeat) for repeat in range(1, self.recipe.repeats))]
        first, *others = (generator(self.seed, *name) for name in names)
        which, row = self.locate(index)
        source = self.sources[which]
        indices, length = self._indices(source, row, first), source.value("frames", row)
        frames = self.cache.read((which, row), indices, length, source.settings.grid, partial(source.read, row))
        clips = (augment(frames, self.size, self.recipe, source.settings.flip, rng) for rng in (first, *others))
        return [self._sample(which, row, clip.transpose(0, 1).contiguous()) for clip in clips]

    def __getitems__(self, items: Sequence[tuple[int, int]]) -> list[Sample]:
        """The clips of several videos, one after another; PyTorch's loader calls this method."""
        return [sample for item in items for sample in self[item]]

    def _indices(self, source: Source, row: int, rng: np.random.Generator) -> np.ndarray:
        settings, length = source.settings, source.value("frames", row)
        if settings.sampling.kind == "segment":
            return segments(length, self.frames, rng)
        stride, grid = settings.sampling.stride, settings.grid
        start = random_start(length, self.frames, stride, rng, grid)
        return dense(length, self.frames, stride, start, grid)


class ViewClips(Clips):
    """Test clips, each with all its views: temporal views times spatial crops."""

    def __getitem__(self, index: int) -> Sample:
        which, row = self.locate(index)
        settings, length = self.sources[which].settings, self.sources[which].value("frames", row)
        views = []
        for indices in view_indices(settings, length, self.frames):
            frames = self.sources[which].read(row, indices)
            views += view_crops(frames, self.size, settings.views.spatial)
        return self._sample(which, row, torch.stack([view.transpose(0, 1) for view in views]))


class Sampled(Protocol):
    """Settings that choose the frames of test views: a dataset's, or those in a model's file."""

    @property
    def sampling(self) -> Sampling: ...

    @property
    def views(self) -> Views: ...

    @property
    def grid(self) -> int: ...


def view_indices(settings: Sampled, length: int, count: int) -> list[np.ndarray]:
    """Frame indices of each temporal view of a video of `length` frames.

    Segment sampling takes the middle of each segment; the frames of several views interleave.
    """
    views = settings.views.temporal
    if settings.sampling.kind == "segment":
        fine = segments(length, count * views)
        return [fine[view::views] for view in range(views)]
    stride, grid = settings.sampling.stride, settings.grid
    return [dense(length, count, stride, start, grid) for start in view_starts(length, count, stride, views, grid)]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples to a batch; the views of one clip follow each other."""
    videos = [sample.video if sample.video.ndim == 5 else sample.video[None] for sample in samples]
    label, dataset = (torch.tensor([getattr(s, name) for s in samples]) for name in ("label", "dataset"))
    return Batch(
        torch.cat(videos), label, dataset, tuple(sample.clip_id for sample in samples), torch.arange(len(label))
    )
