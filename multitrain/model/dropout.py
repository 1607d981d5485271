"""Dropout and stochastic depth: a clip's draws depend on its position in the step's batch, not on the process.

They are drawn for the step's whole batch wherever a part of it is at hand, and the rows of the clips at hand are kept.
With the same seed before each part, any number of processes and of parts drops the same paths and units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "clips_of_batch", "kept_clips"]

_AT_HAND: ContextVar[tuple[int, Tensor] | None] = ContextVar("clips at hand", default=None)


@contextmanager
def clips_of_batch(total: int, rows: Tensor) -> Iterator[None]:
    """Within, a forward pass is of the clips at positions rows (B,) of a batch of `total`; else of a whole batch."""
    token = _AT_HAND.set((total, rows))
    try:
        yield
    finally:
        _AT_HAND.reset(token)


def kept_clips(x: Tensor, rate: float) -> Tensor:
    """Which clips of x (B, ...) keep a branch that is dropped with probability `rate`: (B, 1, ...), bool."""
    at_hand = _AT_HAND.get()
    total = len(x) if at_hand is None else at_hand[0]
    kept = torch.rand(total, *[1] * (x.ndim - 1), device=x.device, dtype=x.dtype) >= rate
    return kept if at_hand is None else kept[at_hand[1]]


class Dropout(nn.Dropout):
    """Dropout of x (B, ...) that draws for the whole batch; on a whole batch and a processor, the library's bits."""

    def forward(self, x: Tensor) -> Tensor:
        at_hand = _AT_HAND.get()
        if at_hand is None or not self.training or self.p == 0:
            return super().forward(x)
        total, rows = at_hand
        noise = x.new_empty((total, *x.shape[1:])).bernoulli_(1 - self.p).div_(1 - self.p)
        return x * noise[rows]
