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

__all__ = ["ALONE", "Team", "claim_accelerator", "joined"]

T = TypeVar("T")
FOR_EVER = timedelta(days=3650)  # a collective gives up after half an hour
_GONE = ("gloo", "NCCL", "TCPStore", "Connection")  # what an error says where another process no longer answers


@dataclass(frozen=True)
class Team:
    """This process among those of the training. Every method is called by all of them, in the same order."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"  # where the tensors are that say so much as yes or no

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """The rows (b, ...) of every process, one process after the other: (count * b, ...), without gradient."""
        if self.count == 1:
            return rows
        found = [torch.empty_like(rows) for _ in range(self.count)]
        dist.all_gather(found, rows.contiguous())
        return torch.cat(found)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes, the same bits for all of them."""
        return self.gather(values[None]).mean(0)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any of the processes."""
        return bool(self.gather(torch.tensor([flag], device=self.device)).any())

    def wait(self) -> None:
        """Barrier: returns when all processes have called it."""
        self.any(False)

    def all_of(self, thing: Any) -> list[Any]:
        """All-gather of objects: one of each process, by rank; small objects only."""
        found = [thing]
        if self.count > 1:
            found = [None] * self.count
            dist.all_gather_object(found, thing)
        return found

    def said_by_main(self, thing: Any) -> Any:
        """Broadcast: the object of the main process, in all of them; small objects only."""
        said = [thing]
        if self.count > 1:
            dist.broadcast_object_list(said, src=0)
        return said[0]

    def first_in_main(self, name: str, work: Callable[[], T]) -> T | None:
        """What `work` returns, done by the main process, for whose end the others wait however long; None in them.

        What it raises, all raise. `name` is this call's own.
        """
        if self.count == 1:
            return work()
        store = dist.distributed_c10d._get_default_store()
        if not self.main:
            store.wait([name], FOR_EVER)
            if error := pickle.loads(store.get(name)):  # of this very training's main process
                raise error
            return None
        try:
            done = work()
        except BaseException as error:
            store.set(name, pickle.dumps(error))  # type: ignore[arg-type]  # takes bytes, whatever its stub says
            raise
        store.set(name, pickle.dumps(None))  # type: ignore[arg-type]  # as above
        return done

    @contextmanager
    def naming_lost(self) -> Iterator[None]:
        """Within, the error of a connection that another process has left is one line for people."""
        try:
            yield
        except RuntimeError as error:
            if self.count == 1 or not any(word in str(error) for word in _GONE):
                raise
            raise UserError(
                f"process {self.rank} of {self.count} no longer reaches another one: that one's own message says why; "
                "started again, the run goes on from its last resume point, or anew where there is none"
            ) from None


ALONE = Team()


def from_environment(device: torch.device) -> Team:
    """The team as torchrun's environment describes it.

    Raises:
        UserError: RANK, WORLD_SIZE or LOCAL_RANK is no number or does not fit the others.
    """
    rank, count = _environment("RANK", 0), _environment("WORLD_SIZE", 1)
    if not 0 <= rank < count:
        raise UserError(f"environment: RANK {rank} of WORLD_SIZE {count}: start the processes with torchrun")
    return Team(rank, count, device.type)


def _environment(name: str, alone: int) -> int:
    try:
        return int(os.environ.get(name, alone))
    except ValueError:
        raise UserError(f"environment: {name} is {os.environ[name]!r}: start the processes with torchrun") from None


def claim_accelerator() -> None:
    """Make this process's own accelerator the current one, before anything takes memory of the first one.

    Raises:
        UserError: there are more processes on this node than accelerators.
    """
    local = _environment("LOCAL_RANK", 0)
    if local >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise UserError(f"process {local} of this node has no accelerator, there are {there}: start as many processes")
    torch.cuda.set_device(local)


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """The team that torchrun has started, connected with each other; a team of one where it has not."""
    team = from_environment(device)
    if team.count == 1 or dist.is_initialized():
        yield team
        return
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"process {team.rank} of {team.count} cannot reach the others ({reason}): start them with torchrun"
        ) from None
    try:
        yield team
    finally:
        dist.destroy_process_group()
