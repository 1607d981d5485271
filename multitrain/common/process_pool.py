"""Process pool with a time limit: an item that hangs or kills its process loses only its own result.

A hanging call into libav ends only with its process, so a single job runs in a worker process too: it costs a second at
the start and a copy of each item through a pipe. The pool has no threads: each worker has its own pipe, and the
generator of the results waits for all pipes at once.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from time import monotonic
from typing import Generic, Self, TypeVar

from multitrain.common.errors import UserError

__all__ = ["LONGEST", "ProcessPool", "process_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = {True: 4, False: 2}  # items a process that are read and not yielded, ordered or not: bounds the memory
STARTING = 120  # seconds that a process may take to start on a busy machine
LONGEST = 1e6  # seconds: the longest wait that the operating system can count
PRELOAD = [__name__, "multitrain.datasets.transcode.encode_clip"]  # imported once, by the fork server


@dataclass(frozen=True)
class Ended:
    """Why an item ended its process."""

    detail: str
    limited: bool  # by the time limit


@dataclass
class Task(Generic[Item, Result]):
    """One item with its results; with `ended`, the results before its process ended."""

    item: Item
    results: list[Result] = field(default_factory=list)
    ended: Ended | None = None
    begun: bool = False
    done: bool = False


class ProcessPool(Generic[Item, Result]):
    """A pool of at most `jobs` worker processes, started on demand, for a `with` block.

    `function` is a module's; it returns an item's result or is a generator of its results. Each result has a time limit
    of `seconds`.
    """

    def __init__(self, function: Callable[[Item], Result | Iterator[Result]], jobs: int, seconds: float):
        self.jobs = jobs
        self._function, self._seconds = function, seconds
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()

    def map(self, items: Iterable[Item], ordered: bool = True) -> Iterator[Task[Item, Result]]:
        """Each item's finished task, in the items' order or as they finish.

        Exceptions of `function` are raised at once, those of `items` after the tasks before.
        """
        source: Iterator[Item] | None = iter(items)
        broken: Exception | None = None
        pending: deque[Task] = deque()  # read and not yielded, oldest first
        while source is not None or pending:
            room = source is not None and len(pending) < AHEAD[ordered] * self.jobs
            if source is not None and room:
                try:
                    pending.append(Task(next(source)))
                except StopIteration:
                    source = None
                except Exception as error:
                    source, broken = None, error
            self._receive(wait=not room)
            self._assign(pending)
            if ordered:
                while pending and pending[0].done:
                    yield pending.popleft()
            else:
                done, pending = [t for t in pending if t.done], deque(t for t in pending if not t.done)
                yield from done
        if broken is not None:
            raise broken

    def _assign(self, pending: Iterable[Task]) -> None:
        """Give tasks to idle workers, and to new ones up to `jobs`."""
        for task in (task for task in pending if not task.begun):
            worker = next((worker for worker in self._workers if worker.task is None), None)
            if worker is None:
                if len(self._workers) >= self.jobs:
                    return
                worker = _Worker(self._function, self._seconds)
                self._workers.append(worker)
            worker.begin(task)

    def _receive(self, wait: bool) -> None:
        """Receive a message of each worker that has sent one; end workers beyond the time limit."""
        busy = [worker for worker in self._workers if worker.task is not None]
        timeout = min((worker.remaining() for worker in busy), default=0) if wait else 0
        ready = connection.wait([worker.pipe for worker in busy], max(timeout, 0)) if busy else []
        for worker in busy:
            if worker.pipe in ready:
                worker.receive()
            elif worker.remaining() <= 0 and not worker.pipe.poll():
                worker.end(Ended(f"not done after {self._seconds:g} s, its decoder was ended", True))
        self._workers = [worker for worker in self._workers if worker.alive]


class _Worker:
    """A worker process with its pipe and its task."""

    def __init__(self, function: Callable, seconds: float):
        self.task: Task | None = None
        self.alive, self._started, self._seconds = True, False, min(seconds, LONGEST)
        # Forked from a server that has one thread and the imports done: fast, and safe whatever threads run here.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, function), daemon=True)
        try:
            self.process.start()
        except (EOFError, OSError):
            raise _not_started() from None
        finally:
            other.close()
        self._deadline = monotonic() + STARTING

    def begin(self, task: Task) -> None:
        """Send the item, or keep it until the process has started."""
        task.begun, self.task = True, task
        if self._started:
            self._deadline = monotonic() + self._seconds
            with suppress(ConnectionError):  # a dead worker: `receive` finds its pipe closed
                self.pipe.send(task.item)

    def remaining(self) -> float:
        """Seconds until the next message is late."""
        return self._deadline - monotonic()

    def receive(self) -> None:
        """Take one message."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.end(Ended("the process that decoded it died (damaged, or not enough memory)", False))
            return
        self._deadline = monotonic() + self._seconds
        assert self.task is not None  # a worker without one sends nothing
        if kind == "started":
            self._started = True
            self.begin(self.task)
        elif kind == "result":
            self.task.results.append(value)
        elif kind == "done":
            self.task.done, self.task = True, None
        else:
            raise value

    def end(self, why: Ended) -> None:
        """End the process, with the reason in its task."""
        self.kill()
        if not self._started:
            raise _not_started()
        assert self.task is not None  # only busy workers are ended so
        self.task.ended, self.task.done = why, True

    def kill(self) -> None:
        """Kill the process at any time: its files are written atomically."""
        self.alive = False
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _not_started() -> UserError:
    return UserError("worker processes cannot be started: see their errors above, and free memory")


def _serve(pipe: connection.Connection, function: Callable) -> None:
    """The loop of a worker process: receive an item, send its results or the exception that it raised."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(("started", None))
    while True:
        item = pipe.recv()
        try:
            returned = function(item)
            for result in returned if isinstance(returned, Iterator) else [returned]:
                pipe.send(("result", result))
            pipe.send(("done", None))
        except Exception as error:
            pipe.send(("error", error))


def _end_with_parent() -> None:
    """Wait for the parent process to end, then end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    parent.join()
    os._exit(1)


def process_map(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int, seconds: float
) -> Iterator[tuple[Item, Result | str]]:
    """Each item with its result, in the items' order, or with the reason why it has none."""
    with ProcessPool(function, jobs, seconds) as pool:
        for task in pool.map(items):
            yield task.item, task.ended.detail if task.ended and not task.results else task.results[0]
