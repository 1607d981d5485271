"""What a crash inside the decoder looks like to the process pool: the worker is gone. Imported by worker processes."""

import os

from multitrain.sources import workers

VICTIM = "train000001_000417_000427"
_make = workers.make


def make(task: workers.Task) -> list:
    if task.pieces[0].clip_id == VICTIM:
        os._exit(1)
    return _make(task)
