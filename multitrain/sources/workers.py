"""Transcoding in processes of its own: what kills or hangs a decoder costs one video, never the preparation.

A call into libav that hangs can only be ended together with its process. Therefore one job too is a worker process:
it costs a second at the start and a copy of each video through a pipe, against a watch over this very process that
would have to end it and begin again. The results do not depend on how many there are.
"""

import io
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from multitrain.config import Limits, Transcode
from multitrain.errors import UserError
from multitrain.sources.store import Record
from multitrain.sources.transcode import transcode
from multitrain.sources.video import DEFAULT, Beyond, Refused

WAITING = 2  # tasks a process, running or queued: bounds the memory that waiting videos take
STARTING = 120  # seconds that a process may take to start on a busy machine
LONGEST = 1e6  # seconds: no wait is longer, for the operating system counts them in few bits
CONFUSION = (ArithmeticError, ValueError, MemoryError)  # how Python code around a decoder meets absurd numbers


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

    def refused(self, reason: str, detail: str, done: int = 0, limited: bool = False) -> list[Record]:
        """Records that say the same of every clip but the first `done`."""
        return [refusal(self, piece, reason, detail, limited) for piece in self.pieces[done:]]


def refusal(task: Task, piece: Piece, reason: str, detail: str, limited: bool = False) -> Record:
    """The record of a clip that is not made."""
    return Record(piece.clip_id, task.batch, piece.source, reason=reason, detail=detail, limited=limited)


def make(task: Task, limits: Limits) -> Iterator[Record]:
    """Make a task's clips one after another."""
    for piece in task.pieces:
        yield _make(task, piece, limits)


def _make(task: Task, piece: Piece, limits: Limits) -> Record:
    source = task.content if isinstance(task.content, Path) else io.BytesIO(task.content)
    try:
        clip = transcode(source, piece.target, task.settings, piece.start, piece.end, limits)
    except Refused as error:
        return refusal(task, piece, error.reason, f"{task.where}: {error}", isinstance(error, Beyond))
    except CONFUSION as error:
        words = " ".join(str(error).split())
        return refusal(task, piece, "undecodable", f"{task.where}: makes no sense ({type(error).__name__}: {words})")
    except OSError as error:  # reading errors are a Refused
        raise UserError(f"{piece.target.parent}: a clip could not be written: {error.strerror or error}") from None
    size = piece.target.stat().st_size
    return Record(piece.clip_id, task.batch, piece.source, clip.frames, clip.fps, clip.width, clip.height, size)


def _serve(pipe: Connection, work, limits: Limits) -> None:
    """A worker process: for each task that comes, send a record a clip, or the exception that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(None)  # started
    while True:
        task = pipe.recv()
        try:
            for record in work(task, limits):
                pipe.send(record)
        except Exception as error:
            pipe.send(error)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


class _Worker:
    """One process that makes tasks, one at a time; a new one takes its place where a task ends it."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False

    def make(self, task: Task) -> list[Record]:
        """A record of each clip. The limit of time is for each: many clips of a long video may take long together."""
        if self._process is None:
            self._start()
        records: list[Record] = []
        try:
            self._pipe.send(task)
            while len(records) < len(task.pieces):
                if not self._answers():
                    self._stop()
                    detail = f"{task.where}: not done after {self.limits.seconds:g} s, its decoder was ended"
                    return records + task.refused("undecodable", detail, len(records), limited=True)
                result = self._pipe.recv()
                if isinstance(result, Exception):
                    raise result
                records.append(result)
        except (EOFError, ConnectionError):
            self._stop()
            detail = f"{task.where}: the process that decoded it died (damaged, or not enough memory)"
            return records + task.refused("undecodable", detail, len(records))
        return records

    def _answers(self) -> bool:
        """Wait for the next record; False where it does not come in time."""
        return self._pipe.poll(min(self.limits.seconds, LONGEST))

    def _start(self) -> None:
        # Forked from a server that has one thread and the imports done: fast, and safe whatever threads run here.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, make, self.limits), daemon=True)
        try:
            self._process.start()
            other.close()
            started = self._pipe.poll(STARTING)
            if started:
                self._pipe.recv()
        except (EOFError, OSError):
            started = False
        if not started or self._closed:
            self._stop()
            raise UserError("worker processes cannot be started: see their errors above, and free memory")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.pid is not None:
            process.kill()
            process.join()
        self._pipe.close()

    def close(self) -> None:
        """End the process from another thread, whatever it is doing; clips are there whole or not at all."""
        self._closed = True
        process = self._process
        if process is not None and process.pid is not None:
            process.kill()


class Workers:
    """`jobs` processes that make tasks, started with the first task. Use it in a `with` block."""

    def __init__(self, jobs: int, limits: Limits = DEFAULT):
        self.jobs = jobs
        self._workers = [_Worker(limits) for _ in range(jobs)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(jobs)  # one waits for each process

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
        self._threads.shutdown()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[Record]]]:
        """Each task with its records, in the order in which they get done.

        Where the tasks break off with an error, those that came before it are done first.
        """
        pending: dict[Future, Task] = {}
        remaining, broken = iter(tasks), None
        while broken is None:
            try:
                task = next(remaining)
            except StopIteration:
                break
            except UserError as error:
                broken = error
                break
            pending[self._threads.submit(self._make, task)] = task
            if len(pending) >= WAITING * self.jobs:
                yield from _collect(pending)
        while pending:
            yield from _collect(pending)
        if broken is not None:
            raise broken

    def _make(self, task: Task) -> list[Record]:
        worker = self._idle.get()
        try:
            return worker.make(task)
        finally:
            self._idle.put(worker)


def _collect(pending: dict[Future, Task]) -> Iterator[tuple[Task, list[Record]]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()
