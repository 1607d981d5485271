"""Dropout and stochastic depth whose masks depend on a clip's position in the step's batch, not on the process.

Each forward pass draws masks for the step's whole batch and takes the rows of its own clips. With the same seed before
each pass, any number of processes and micro-batches drops the same paths and units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "clips_of_batch", "kept_clips"]

_CLIPS: ContextVar[tuple[int, Tensor] | None] = ContextVar("clips of batch", default=None)


@contextmanager
def clips_of_batch(total: int, rows: Tensor) -> Iterator[None]:
    """A context for forward passes of the clips at positions rows (B,) of a batch of `total`, not of a whole batch."""
    token = _CLIPS.set((total, rows))
    try:
        yield
    finally:
        _CLIPS.reset(token)


def kept_clips(x: Tensor, rate: float) -> Tensor:
    """Mask (B, 1, ...) of the clips of x (B, ...) that keep a branch dropped with probability `rate`."""
    clips = _CLIPS.get()
    total = len(x) if clips is None else clips[0]
    kept = torch.rand(total, *[1] * (x.ndim - 1), device=x.device, dtype=x.dtype) >= rate
    return kept if clips is None else kept[clips[1]]


class Dropout(nn.Dropout):
    """Dropout of x (B, ...) that draws for the whole batch; for a whole batch on a processor, the library's own."""

    def forward(self, x: Tensor) -> Tensor:
        clips = _CLIPS.get()
        if clips is None or not self.training or self.p == 0:
            return super().forward(x)
        total, rows = clips
        mask = x.new_empty((total, *x.shape[1:])).bernoulli_(1 - self.p).div_(1 - self.p)
        return x * mask[rows]
