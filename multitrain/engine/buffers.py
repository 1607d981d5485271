"""Running buffers such as BatchNorm's statistics, averaged over the micro-batches and processes of a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from multitrain.engine.processes.distributed import SINGLE_PROCESS, ProcessGroup

__all__ = ["StepBuffers"]


class StepBuffers:
    """The buffers of a network in one step: every part starts from the same ones, and their mean is kept.

    A step is one update of running statistics, the same for two processes as for two micro-batches, and the same bits
    in all processes. Whole numbers (counters) are those after one part. A network without buffers costs nothing.
    """

    def __init__(self, network: nn.Module, process_group: ProcessGroup = SINGLE_PROCESS):
        self.network, self.process_group = network, process_group
        self.parts = 1
        self.before: list[Tensor] = []
        self.sums: list[Tensor] = []

    def begin(self, parts: int) -> None:
        """Start a step of so many parts in this process."""
        self.parts = parts
        self.before = [buffer.clone() for buffer in self.network.buffers()]
        self.sums = [torch.zeros_like(buffer) for buffer in self.before]

    @contextmanager
    def part(self) -> Iterator[None]:
        """A context for the forward and backward pass of one part."""
        yield
        with torch.no_grad():
            for buffer, before, total in zip(self.network.buffers(), self.before, self.sums, strict=True):
                if buffer.is_floating_point():
                    total += buffer
                else:
                    total.copy_(buffer)
                buffer.copy_(before)

    def end(self) -> None:
        """Keep the mean over parts and processes."""
        with torch.no_grad():
            for buffer, total in zip(self.network.buffers(), self.sums, strict=True):
                floating = buffer.is_floating_point()
                buffer.copy_(self.process_group.mean(total / self.parts) if floating else total)
