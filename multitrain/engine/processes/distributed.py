"""The process group of a training: rank, size, gather, broadcast, barrier, and errors of lost processes."""

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from multitrain.common.errors import UserError

__all__ = ["SINGLE_PROCESS", "ProcessGroup", "claim_accelerator", "process_group"]

T = TypeVar("T")
FOR_EVER = timedelta(days=3650)  # the default is half an hour
_GONE = ("gloo", "NCCL", "TCPStore", "Connection")  # in messages of lost connections


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a training, seen from one of them. All of them call the same methods in the same order."""

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the main process, which alone writes files."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """All-gather: the rows (b, ...) of every process, by rank: (count * b, ...), without gradient."""
        if self.count == 1:
            return rows
        gathered = [torch.empty_like(rows) for _ in range(self.count)]
        dist.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes, the same bits for all of them."""
        return self.gather(values[None]).mean(0)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any of the processes."""
        return bool(self.gather(torch.tensor([flag])).any())  # on processors: no accelerator is waited for

    def barrier(self) -> None:
        """Return when all processes have called this."""
        self.any(False)

    def all_gather_objects(self, value: Any) -> list[Any]:
        """The objects of all processes, by rank; small objects only."""
        values = [value]
        if self.count > 1:
            values = [None] * self.count
            dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: Any) -> Any:
        """The main process's object, in all processes; small objects only."""
        values = [value]
        if self.count > 1:
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def run_on_main(self, name: str, work: Callable[[], T]) -> T | None:
        """Run `work` in the main process and return its result there, None in the others, which wait without limit.

        An exception of `work` is raised in all processes. `name` is unique to the call.
        """
        if self.count == 1:
            return work()
        store = dist.distributed_c10d._get_default_store()
        if not self.main:
            store.wait([name], FOR_EVER)
            if error := pickle.loads(store.get(name)):  # written by the main process of this training
                raise error
            return None
        try:
            result = work()
        except BaseException as error:
            store.set(name, pickle.dumps(error))  # type: ignore[arg-type]  # takes bytes, whatever its stub says
            raise
        store.set(name, pickle.dumps(None))  # type: ignore[arg-type]  # as above
        return result

    @contextmanager
    def lost_process_errors(self) -> Iterator[None]:
        """A context that makes a UserError of the connection errors that a lost process causes."""
        try:
            yield
        except RuntimeError as error:
            if self.count == 1 or not any(word in str(error) for word in _GONE):
                raise
            raise UserError(
                f"process {self.rank} of {self.count} no longer reaches another one, whose own message says why: "
                "start the run again: it resumes from its last resume point, or begins anew where there is none"
            ) from None


SINGLE_PROCESS = ProcessGroup()


def from_environment() -> ProcessGroup:
    """The process group in the environment variables of torchrun.

    Raises:
        UserError: RANK, WORLD_SIZE or LOCAL_RANK is no number or does not fit the others.
    """
    rank, count = _environment("RANK", 0), _environment("WORLD_SIZE", 1)
    if not 0 <= rank < count:
        raise UserError(f"environment: RANK {rank} of WORLD_SIZE {count}: start the processes with torchrun")
    return ProcessGroup(rank, count)


def _environment(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        raise UserError(f"environment: {name} is {os.environ[name]!r}: start the processes with torchrun") from None


def claim_accelerator() -> None:
    """Select the accelerator of this process's local rank, before anything takes memory of the first one.

    Raises:
        UserError: there are more processes on this node than accelerators.
    """
    local = _environment("LOCAL_RANK", 0)
    if local >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise UserError(f"process {local} of this node has no accelerator, there are {there}: start as many processes")
    torch.cuda.set_device(local)


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """The connected processes that torchrun started; a group of one process without torchrun."""
    group = from_environment()
    if group.count == 1 or dist.is_initialized():
        yield group
        return
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"process {group.rank} of {group.count} cannot reach the others ({reason}): start them with torchrun"
        ) from None
    try:
        yield group
    finally:
        dist.destroy_process_group()
