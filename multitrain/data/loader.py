"""Batches that mix all datasets at random, the same for the same seed, from any step on."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Sampler

from multitrain.data.clips import Batch, TrainClips, ViewClips, collate
from multitrain.errors import UserError
from multitrain.seeding import generator


class MixingSampler(Sampler):
    """Batches of (epoch, index): each epoch is one permutation over the clips of all datasets together.

    The clips left over by the last whole batch of an epoch are left out of that epoch. Nothing but (seed, step) decides
    a batch, so a run that starts again at any step continues as if it had never stopped.
    """

    def __init__(self, clips: int, batch: int, seed: int, first: int, last: int):
        if clips < batch:
            raise UserError(f"{clips} training clips are fewer than one batch of {batch}: lower the recipe's batch")
        self.clips, self.batch, self.seed, self.first, self.last = clips, batch, seed, first, last

    @property
    def steps_per_epoch(self) -> int:
        return self.clips // self.batch

    def __len__(self) -> int:
        return self.last - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order, of_epoch = None, None
        for step in range(self.first, self.last):
            epoch, within = divmod(step, self.steps_per_epoch)
            if epoch != of_epoch:
                order, of_epoch = generator(self.seed, "order", epoch).permutation(self.clips), epoch
            chosen = order[within * self.batch : (within + 1) * self.batch]
            yield [(epoch, int(index)) for index in chosen]


def train_batches(clips: TrainClips, batch: int, first: int, last: int, workers: int = 0) -> Iterator[Batch]:
    """Batches of the steps first..last-1; `workers` processes decode ahead, and change nothing but speed."""
    sampler = MixingSampler(len(clips), batch, clips.seed, first, last)
    return iter(_loader(clips, workers, batch_sampler=sampler))


def view_batches(clips: ViewClips, batch: int, workers: int = 0) -> Iterator[Batch]:
    """Every clip once, in order; `batch` clips, each with all its views."""
    return iter(_loader(clips, workers, batch_size=batch))


def _loader(clips: TrainClips | ViewClips, workers: int, **how: object) -> DataLoader:
    return DataLoader(clips, collate_fn=collate, num_workers=workers, pin_memory=torch.cuda.is_available(), **how)
