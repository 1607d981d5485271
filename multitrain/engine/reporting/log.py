"""Logging of a training: history, progress bar, status.json and, on demand, TensorBoard.

The history holds only numbers that are the same however often a training is resumed. Numbers of clocks and machines
(clips a second, memory) go to the other three.
"""

import importlib.util
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import torch

from multitrain.common.errors import UserError
from multitrain.common.files.locks import FolderRemoved
from multitrain.common.progress import progress
from multitrain.common.records.history import NAME, HistoryFile, Step
from multitrain.common.records.run_status import read_status, write_status
from multitrain.engine.processes.preemption import Preempted
from multitrain.engine.reporting.tensorboard import Events
from multitrain.engine.setup import Job

__all__ = ["Log", "startup_errors"]

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
WRITE_SECONDS = 10.0  # between two updates of status.json
MEMORY_SECONDS = 30.0  # time constant of the pace's moving averages
ASKED_TO_STOP = (Preempted, KeyboardInterrupt)  # ends of a training that resumes later


class Pace:
    """Moving averages of clips a second, the share of waiting, and seconds a step."""

    def __init__(self) -> None:
        self.steps = self.clips = self.waited = self.seconds = 0.0

    def add(self, clips: int, step_seconds: float, wait_seconds: float) -> None:
        """Add one step."""
        seconds = step_seconds + wait_seconds
        kept = math.exp(-seconds / MEMORY_SECONDS)
        self.steps = self.steps * kept + 1
        self.clips = self.clips * kept + clips
        self.waited = self.waited * kept + wait_seconds
        self.seconds = self.seconds * kept + seconds

    def numbers(self, steps_left: int) -> dict[str, float | None]:
        """clips_per_second, data_wait (0 to 1) and seconds_left; each None before there is a step."""
        if not self.seconds:
            return {"clips_per_second": None, "data_wait": None, "seconds_left": None}
        return {
            "clips_per_second": round(self.clips / self.seconds, 2),
            "data_wait": round(self.waited / self.seconds, 4),
            "seconds_left": round(steps_left * self.seconds / self.steps),
        }


class Log:
    """The log of a training, a context around all of it; only the main process's one writes.

    At its end status.json says finished; preempted after a stop signal; or failed, with the error. If the folder has
    been removed, nothing is written: a folder of that name may be another process's.
    """

    def __init__(
        self,
        job: Job,
        steps: int,
        done: int,
        every: int,
        processes: int = 1,
        main: bool = True,
        tensorboard: bool = False,
    ):
        """`done` of `steps` are done; every `every`-th step and the last one are recorded.

        Raises:
            UserError: TensorBoard is not installed.
        """
        self.main, self.done, self.steps, self.every = main, done, steps, every
        self.folder, self.title = job.folder, f"{job.name} seed {job.seed}"
        self.history = job.folder / "resume" / NAME
        self.tensorboard = tensorboard
        self.pace = Pace()
        self.record: Step | None = None  # the last one
        self.written = -math.inf
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise UserError("--tensorboard: the package tensorboard is not installed: `pip install tensorboard`")
        before = read_status(job.folder) if main else {}
        self.starts = 1 if before.get("state") == "finished" else _count(before) + 1  # this time included
        self.about = {
            "steps": steps,
            "started": _now(),
            "starts": self.starts,
            "resumed_at": None,
            "host": platform.node(),
            "pid": os.getpid(),
            "process_count": processes,
        }

    def __enter__(self) -> "Log":
        if not self.main:
            return self
        self.lines = HistoryFile(self.history, self.done, self.done // self.every)
        self.bar = progress(self.title, "step", self.steps, self.done)
        self.events = Events(self.folder / "tensorboard", self.done) if self.tensorboard else None
        if self.done:
            self.resumed(self.done)
        self._write("running")
        return self

    def resumed(self, step: int) -> None:
        """Record that this start resumes at `step`."""
        self.about["resumed_at"] = step

    def records(self, step: int) -> bool:
        """Whether the history has a line of the step, counted from 1."""
        return step % self.every == 0 or step == self.steps

    def step(self, record: Step | None, clips: int, step_seconds: float, wait_seconds: float) -> None:
        """Log a step: its line of the history or None, clips of all processes, seconds of computing and of waiting."""
        if not self.main:
            return
        self._require()
        self.done, self.record = self.done + 1, record or self.record
        self.pace.add(clips, step_seconds, wait_seconds)
        if record is not None and self.records(self.done):
            self.lines.append(record)
            if self.events is not None:
                self.events.add({**record, **self._numbers()}, self.done - 1)
        if self.record is not None:
            self.bar.set_postfix_str(_line(self.record, self._numbers()), refresh=False)
        self.bar.update()
        if time.monotonic() - self.written >= WRITE_SECONDS:
            self._write("running")

    def sync(self) -> None:
        """Flush the history to the disk, before a resume point that relies on it."""
        self.lines.sync()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.main:
            return
        self.bar.close()
        self.lines.close()
        if self.events is not None:
            self.events.close()
        if error is None:
            self._write("finished")
        elif isinstance(error, ASKED_TO_STOP):
            self._write(
                "preempted", str(error) or "interrupted: started again, it goes on from its last resume point, if any"
            )
        elif not isinstance(error, FolderRemoved) and self.folder.is_dir():  # else the folder would be made again
            self._write("failed", str(error) or type(error).__name__)

    def _require(self) -> None:
        """Raise `FolderRemoved` if the history has been removed."""
        if not self.lines.is_there():
            raise FolderRemoved(f"{self.history}: was removed while {self.title} was trained: stopped; start it again")

    def _numbers(self) -> dict:
        return {**self.pace.numbers(self.steps - self.done), "memory_mb": _memory_mb()}

    def _write(self, state: str, message: str = "") -> None:
        self.written = time.monotonic()
        status = {"state": state, "step": self.done, **self.about, "updated": _now(), **self._numbers()}
        write_status(self.folder, {**status, "message": message, "terms": _finite(self.record or {})})


@contextmanager
def startup_errors(folder: Path, main: bool = True) -> Iterator[None]:
    """A context for the time before there is a `Log`: an error is written to status.json.

    The progress of an earlier start stays in it. Only the main process's one writes.
    """
    try:
        yield
    except Exception as error:
        if main:
            before = read_status(folder)
            status = {"step": 0, "steps": None, **before, "state": "failed", "starts": _count(before) + 1}
            status |= {"updated": _now(), "host": platform.node(), "pid": os.getpid()}
            write_status(folder, {**status, "message": str(error) or type(error).__name__})
        raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _finite(value: object) -> object:
    """The value with None for numbers that JSON has not, such as an infinite norm in half precision."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _memory_mb() -> float:
    """Peak memory: the accelerator's if there is one, else the process's."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6, 1)


def _count(status: dict) -> int:
    starts = status.get("starts")
    return starts if isinstance(starts, int) and starts > 0 else 0


def _line(record: Step, numbers: dict) -> str:
    """The numbers of a step for the progress bar, the most important first: a terminal cuts the rest."""
    parts = [f"loss {record['total']:.3f}", f"{numbers['clips_per_second'] or 0:.1f} clips/s"]
    parts += [f"wait {numbers['data_wait'] or 0:.0%}", f"{numbers['memory_mb']:.0f} MB"]
    terms = {**record["classification"], "var": record["variance"], "cov": record["covariance"]}
    terms |= record.get("extra", {})
    parts.append(" ".join(f"{name} {value:.3f}" for name, value in terms.items()))
    parts.append("sigma " + " ".join(f"{name} {value:.3f}" for name, value in record["sigma"].items()))
    return ", ".join(parts)
