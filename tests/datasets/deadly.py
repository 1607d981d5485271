"""Decoders that crash or hang, as a worker process meets them. Imported by worker processes."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from multitrain.common import process_pool
from multitrain.config.scale import Limits
from multitrain.datasets.transcode import workers
from multitrain.datasets.transcode.journal import Record

VICTIM = "train000001_000417_000427"
_make = workers.make


def make(task: workers.Task, limits: Limits) -> Iterator[Record]:
    """The process is gone, as after a crash inside libav."""
    if task.pieces[0].clip_id == VICTIM:
        os._exit(1)
    yield from _make(task, limits)


def hang(task: workers.Task, limits: Limits) -> Iterator[Record]:
    """The process neither answers nor ends."""
    if task.pieces[0].clip_id == VICTIM:
        _sleep(task)
    yield from _make(task, limits)


def hang_later(task: workers.Task, limits: Limits) -> Iterator[Record]:
    """The first clip of a video is made, the second never."""
    for number, record in enumerate(_make(task, limits)):
        if number:
            _sleep(task)
        yield record


def _sleep(task: workers.Task) -> None:
    folder = task.pieces[0].target.parent
    folder.mkdir(exist_ok=True)
    (folder / f"asleep-{os.getpid()}").touch()
    time.sleep(10_000)


def awake(folder: Path) -> Callable[[process_pool._Worker], float]:
    """Instead of the time that a worker has left: endless until its process has fallen asleep."""
    return lambda worker: 0.0 if (folder / f"asleep-{worker.process.pid}").exists() else 0.01
