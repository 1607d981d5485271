"""Transcoding, in this process or in several; the results do not depend on which."""

import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from multitrain.config import Transcode
from multitrain.errors import UserError
from multitrain.sources.store import Record
from multitrain.sources.transcode import transcode
from multitrain.sources.video import Refused

WAITING = 2  # tasks a process, running or queued: bounds the memory that waiting videos take


@dataclass(frozen=True)
class Piece:
    """One clip to make of a task's video."""

    clip_id: str
    source: str  # for the record
    target: Path
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Task:
    """One video and the clips to make of it."""

    batch: str
    where: str
    content: bytes | Path
    pieces: tuple[Piece, ...]
    settings: Transcode

    def refused(self, reason: str, detail: str) -> list[Record]:
        """Records that say the same of every clip."""
        return [Record(p.clip_id, self.batch, p.source, reason=reason, detail=detail) for p in self.pieces]


def make(task: Task) -> list[Record]:
    """Make a task's clips."""
    return [_make(task, piece) for piece in task.pieces]


def _make(task: Task, piece: Piece) -> Record:
    source = task.content if isinstance(task.content, Path) else io.BytesIO(task.content)
    try:
        clip = transcode(source, piece.target, task.settings, piece.start, piece.end)
    except Refused as error:
        detail = f"{task.where}: {error}"
        return Record(piece.clip_id, task.batch, piece.source, reason=error.reason, detail=detail)
    size = piece.target.stat().st_size
    return Record(piece.clip_id, task.batch, piece.source, clip.frames, clip.fps, clip.width, clip.height, size)


def _settle_in() -> None:
    """Set up a worker: Ctrl-C is the parent's to answer, and a parent that was killed leaves no worker behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


class Workers:
    """`jobs` processes that make tasks; with one job this process does. Use it in a `with` block."""

    def __init__(self, jobs: int):
        self.jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self.jobs > 1:
            self._pool = self._start(self.jobs)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @staticmethod
    def _start(jobs: int) -> ProcessPoolExecutor:
        # Spawned: a fork of a process that has threads may hang.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(jobs, mp_context=context, initializer=_settle_in)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[Record]]]:
        """Each task with its records, in the order in which they get done."""
        if self._pool is None:
            for task in tasks:
                yield task, make(task)
            return
        pending: dict[Future, Task] = {}
        for task in tasks:
            try:
                pending[self._pool.submit(make, task)] = task
            except BrokenProcessPool:
                yield from self._rescue({**pending, Future(): task})
                pending = {}
            if len(pending) >= WAITING * self.jobs:
                yield from self._collect(pending)
        while pending:
            yield from self._collect(pending)

    def _collect(self, pending: dict[Future, Task]) -> Iterator[tuple[Task, list[Record]]]:
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            yield from self._rescue(pending)
            pending.clear()
            return
        for future in done:
            yield pending.pop(future), future.result()

    def _rescue(self, pending: dict[Future, Task]) -> Iterator[tuple[Task, list[Record]]]:
        """A process died. Make what was waiting one by one, so that only the video that kills is given up."""
        self._pool.shutdown()
        for future, task in pending.items():
            if future.done() and future.exception() is None:
                yield task, future.result()
                continue
            yield task, self._alone(task)
        self._pool = self._start(self.jobs)

    def _alone(self, task: Task) -> list[Record]:
        with self._start(1) as single:
            try:
                single.submit(int).result()
            except BrokenProcessPool:
                raise UserError(
                    "worker processes cannot be started: prepare with one job, or see their errors"
                ) from None
            try:
                return single.submit(make, task).result()
            except BrokenProcessPool:
                detail = f"{task.where}: the process that decoded it died (damaged, or not enough memory)"
                return task.refused("undecodable", detail)
