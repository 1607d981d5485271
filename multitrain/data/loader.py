"""Data loader: reproducible batches that mix all datasets, from any step on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, Subset

from multitrain.common.errors import UserError
from multitrain.common.seeding import generator
from multitrain.data.clips import Batch, TrainClips, ViewClips, collate

__all__ = ["MixingSampler", "Share", "clip_loader", "train_batches", "view_batches", "worker_errors"]

TIMEOUT = 1800.0  # seconds for one micro-batch: for disks that no longer answer, not for slow decoding


@dataclass(frozen=True)
class Share:
    """The part of every step's batch that one process loads, in `parts` micro-batches."""

    process: int = 0
    processes: int = 1
    parts: int = 1

    def positions(self, videos: int, part: int) -> np.ndarray:
        """Positions of one micro-batch's videos in the step's batch of `videos`, in order.

        It is chunk c = part * P + process of the P * A chunks of a batch: h videos from c * h on, and the h that mirror
        them in the reversed batch. So a chunk mixed with its own reverse is that chunk of the whole batch mixed with
        its reverse. A single chunk is the batch in its own order.
        """
        chunks = self.processes * self.parts
        if chunks == 1:
            return np.arange(videos)
        half, rest = divmod(videos, 2 * chunks)
        if rest or not half:
            raise UserError(
                f"a batch of {videos} videos does not give each of {self.processes} processes times {self.parts} "
                f"parts the same even number: set the recipe's batch to a multiple of {2 * chunks}"
            )
        first = half * (part * self.processes + self.process)
        last = videos - first
        return np.concatenate([np.arange(first, first + half), np.arange(last - half, last)])


class MixingSampler(Sampler):
    """Resumable batch sampler of (epoch, index): each epoch is one permutation of the clips of all datasets.

    The clips after the last whole batch of an epoch are left out of that epoch. A step's batch depends on (seed, step)
    only, so a run can resume at any step. `share` selects this process's micro-batches.
    """

    def __init__(self, clips: int, batch: int, seed: int, first: int, last: int, share: Share = Share()):
        if clips < batch:
            raise UserError(f"{clips} training clips are fewer than one batch of {batch}: lower the recipe's batch")
        self.clips, self.batch, self.seed, self.first, self.last = clips, batch, seed, first, last
        self.positions = [share.positions(batch, part) for part in range(share.parts)]

    @property
    def steps_per_epoch(self) -> int:
        return self.clips // self.batch

    def __len__(self) -> int:
        return (self.last - self.first) * len(self.positions)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order, of_epoch = np.empty(0, int), -1
        for step in range(self.first, self.last):
            epoch, within = divmod(step, self.steps_per_epoch)
            if epoch != of_epoch:
                order, of_epoch = generator(self.seed, "order", epoch).permutation(self.clips), epoch
            chosen = order[within * self.batch : (within + 1) * self.batch]
            for positions in self.positions:
                yield [(epoch, index) for index in chosen[positions].tolist()]


def train_batches(
    clips: TrainClips,
    batch: int,
    first: int,
    last: int,
    workers: int = 0,
    share: Share = Share(),
) -> Iterator[Batch]:
    """The micro-batches of `share`, step by step from first to last - 1.

    `batch` counts videos, as in the release: each gives `repeats` clips, so a step has batch * repeats clips.
    `workers` processes decode ahead, in the order of the steps; their number changes only speed.

    Raises:
        UserError: fewer clips than a batch, or the batch cannot be divided; later, a clip that cannot be read, or a
            process that died.
    """
    sampler = MixingSampler(len(clips), batch, clips.seed, first, last, share)
    rows = [torch.from_numpy(_rows(positions, clips.recipe.repeats)) for positions in sampler.positions]
    batches = _batches(clip_loader(clips, workers, sampler=sampler))
    return (replace(part, rows=rows[i % share.parts]) for i, part in enumerate(batches))


def _rows(positions: np.ndarray, repeats: int) -> np.ndarray:
    """Positions (V * repeats,) of the clips of videos (V,): those of one video follow each other."""
    return (positions[:, None] * repeats + np.arange(repeats)).reshape(-1)


def view_batches(clips: ViewClips | Subset[Batch], batch: int, workers: int = 0) -> Iterator[Batch]:
    """Every clip once, in order; `batch` clips, each with all its views."""
    return _batches(clip_loader(clips, workers, batch))


def clip_loader(
    clips: TrainClips | ViewClips | Subset[Batch], workers: int = 0, batch: int = 1, sampler: Sampler | None = None
) -> DataLoader:
    """A DataLoader that gives a `Batch` a step: of training clips with a `MixingSampler`, of test clips in order.

    `workers` processes decode ahead. The sampler decides the batches of training clips; `batch` is for test clips.
    """
    return DataLoader(
        clips,
        batch_size=batch,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        timeout=TIMEOUT if workers else 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_ignore_signals,
    )


def _ignore_signals(_: int) -> None:
    """Ignore stop signals in a worker: a scheduler and Ctrl-C signal all processes, and the training handles them."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _batches(loader: DataLoader) -> Iterator[Batch]:
    """The loader's batches; its workers end with the iteration, also those that hang."""
    batches = iter(loader)
    try:
        with worker_errors():
            yield from batches
    finally:
        workers = getattr(batches, "_workers", ())
        if workers:
            # else they end at some later garbage collection
            batches._shutdown_workers()  # type: ignore[attr-defined]  # only an iterator that has workers has it
        for worker in workers:
            if worker.is_alive():
                worker.kill()
                worker.join(1.0)


@contextmanager
def worker_errors() -> Iterator[None]:
    """A context that makes errors of the loader's workers a UserError of one line.

    PyTorch raises the death of a worker anywhere in the program, so a training loop runs inside this context too.
    """
    try:
        yield
    except UserError as error:
        # the loader puts the worker and its traceback before the message
        raise type(error)(str(error).rpartition(f"{UserError.__name__}: ")[2].strip()) from None
    except RuntimeError as error:
        if not str(error).startswith("DataLoader "):
            raise
        raise UserError(
            f"a process that decodes clips ahead died or hangs ({str(error).splitlines()[0]}): more memory for "
            "the job or fewer machine.workers; or see whether the disk of the data answers"
        ) from None
