"""Work on files in processes of their own, so that one which kills or hangs a decoder costs itself only."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TypeVar

from multitrain.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # items a process that wait or are done out of order
STARTING = 120.0  # seconds that a process may take to start on a busy machine


def each(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int, seconds: float
) -> Iterator[tuple[Item, Result | str]]:
    """Each item with what `work` makes of it, in the items' order; a text says why nothing came of it.

    `work` is a function of a module. An item that takes longer than `seconds` ends with its process.
    """
    idle: SimpleQueue[_Process] = SimpleQueue()
    processes = [_Process(work, seconds) for _ in range(jobs)]
    for process in processes:
        idle.put(process)

    def ask(item: Item) -> Result | str:
        process = idle.get()
        try:
            return process.ask(item)
        finally:
            idle.put(process)

    threads = ThreadPoolExecutor(jobs)
    waiting: deque[tuple[Item, Future]] = deque()
    try:
        for item in items:
            waiting.append((item, threads.submit(ask, item)))
            if len(waiting) >= AHEAD * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
        for process in processes:
            process.close()
        threads.shutdown()


class _Process:
    """A process that does one item at a time, and a new one in its place where an item ends it."""

    def __init__(self, work: Callable, seconds: float):
        self._work, self._seconds = work, seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._closed = False

    def ask(self, item: object) -> object:
        if self._process is None:
            self._start()
        try:
            self._pipe.send(item)
            if not self._pipe.poll(self._seconds):
                self._end()
                return f"not done after {self._seconds:g} s, its decoder was ended"
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._end()
            return "the process that decoded it died (damaged, or not enough memory)"
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")  # safe whatever threads run here
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._work), daemon=True)
        self._process.start()
        other.close()
        try:
            started = self._pipe.poll(STARTING) and self._pipe.recv() is None
        except (EOFError, OSError):
            started = False
        if not started or self._closed:
            self._end()
            raise UserError("worker processes cannot be started: see their errors above, and free memory")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            self._pipe.close()

    def close(self) -> None:
        """End the process, also from another thread than the one that waits for it."""
        self._closed = True
        process = self._process
        if process is not None and process.pid is not None:
            process.kill()


def _serve(pipe: Connection, work: Callable) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(None)  # started
    while True:
        item = pipe.recv()
        try:
            pipe.send(work(item))
        except Exception as error:
            pipe.send(error)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
