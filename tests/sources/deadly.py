"""Decoders that crash or hang, as a worker process meets them. Imported by worker processes."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from multitrain.config import Limits
from multitrain.sources import apart, workers
from multitrain.sources.store import Record

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


def answers(worker: apart.Process, folder: Path) -> bool:
    """Wait as long as the process is awake: in a test no clock decides that it hangs."""
    asleep = folder / f"asleep-{worker._process.pid}"
    while not worker._pipe.poll(0.01):
        if asleep.exists():
            return False
    return True
