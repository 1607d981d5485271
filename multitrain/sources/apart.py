"""Work on files in processes of their own, so that one which kills or hangs a decoder costs itself only.

A call into libav that hangs can only be ended together with its process. Therefore one job too is such a process: it
costs a second at the start and a copy of each video through a pipe, against a watch over this very process that would
have to end it and begin again.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TypeVar

from multitrain.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # items a process that wait or are done out of order
STARTING = 120  # seconds that a process may take to start on a busy machine
LONGEST = 1e6  # seconds: no wait is longer, for the operating system counts them in few bits


@dataclass(frozen=True)
class Ended:
    """Why an item ended its process."""

    detail: str
    limited: bool  # it took longer than it may


class Process:
    """A process that makes the results of one item at a time, and a new one in its place where an item ends it.

    `work` is a function of a module: of an item it yields the results. `seconds` is the time that each may take.
    """

    def __init__(self, work: Callable[[Item], Iterator[Result]], seconds: float):
        self._work, self._seconds = work, seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False

    def ask(self, item: Item, count: int = 1) -> tuple[list[Result], Ended | None]:
        """The `count` results of an item, or those made until it ended the process; raises what `work` raises."""
        if self._process is None:
            self._start()
        results: list[Result] = []
        try:
            self._pipe.send(item)
            while len(results) < count:
                if not self._answers():
                    self._end()
                    return results, Ended(f"not done after {self._seconds:g} s, its decoder was ended", True)
                result = self._pipe.recv()
                if isinstance(result, Exception):
                    raise result
                results.append(result)
        except (EOFError, ConnectionError):
            self._end()
            return results, Ended("the process that decoded it died (damaged, or not enough memory)", False)
        return results, None

    def _answers(self) -> bool:
        """Wait for the next result; False where it does not come in time."""
        return self._pipe.poll(min(self._seconds, LONGEST))

    def _start(self) -> None:
        # Forked from a server that has one thread and the imports done: fast, and safe whatever threads run here.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "multitrain.sources.transcode"])
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._work), daemon=True)
        try:
            self._process.start()
            other.close()
            started = self._pipe.poll(STARTING)
            if started:
                self._pipe.recv()
        except (EOFError, OSError):
            started = False
        if not started or self._closed:
            self._end()
            raise UserError("worker processes cannot be started: see their errors above, and free memory")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.pid is not None:
            process.kill()
            process.join()
        self._pipe.close()

    def close(self) -> None:
        """End the process from another thread, whatever it is doing; files are there whole or not at all."""
        self._closed = True
        process = self._process
        if process is not None and process.pid is not None:
            process.kill()


def _serve(pipe: Connection, work: Callable) -> None:
    """What the process does: for each item that comes, send the results, or the exception that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(None)  # started
    while True:
        item = pipe.recv()
        try:
            for result in work(item):
                pipe.send(result)
        except Exception as error:
            pipe.send(error)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


class Pool:
    """Several such processes and a thread for each that waits for it. Use it in a `with` block."""

    def __init__(self, work: Callable[[Item], Iterator[Result]], jobs: int, seconds: float):
        self.processes = [Process(work, seconds) for _ in range(jobs)]
        self._idle: SimpleQueue[Process] = SimpleQueue()
        for process in self.processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(jobs)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self.processes:
            process.close()
        self._threads.shutdown()

    def submit(self, item: Item, count: int = 1) -> Future:
        """What `Process.ask` returns, when a process has had time for it."""
        return self._threads.submit(self._ask, item, count)

    def _ask(self, item: Item, count: int) -> tuple[list[Result], Ended | None]:
        process = self._idle.get()
        try:
            return process.ask(item, count)
        finally:
            self._idle.put(process)


def each(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int, seconds: float
) -> Iterator[tuple[Item, Result | str]]:
    """Each item with what `work` makes of it, in the items' order; a text says why nothing came of it."""
    waiting: deque[tuple[Item, Future]] = deque()

    def first() -> tuple[Item, Result | str]:
        item, future = waiting.popleft()
        results, ended = future.result()
        return item, results[0] if ended is None else ended.detail

    with Pool(partial(_once, work), jobs, seconds) as pool:
        for item in items:
            waiting.append((item, pool.submit(item)))
            if len(waiting) >= AHEAD * jobs:
                yield first()
        while waiting:
            yield first()


def _once(work: Callable[[Item], Result], item: Item) -> Iterator[Result]:
    yield work(item)
