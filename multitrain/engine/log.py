"""What a training says while it goes on: its history, a line of progress, status.json and, on demand, TensorBoard.

A history is a record of the numbers alone: a run that was killed and resumed has the same one as an undisturbed run,
byte for byte. What depends on clocks and machines (clips a second, memory) goes to the other three.
"""

import importlib.util
import json
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

from multitrain.engine.preemption import Preempted
from multitrain.engine.setup import Job
from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.locks import Vanished
from multitrain.progress import progress

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
WRITE_SECONDS = 10.0  # between two writings of status.json
MEMORY_SECONDS = 30.0  # how far back the pace looks
ASKED_TO_STOP = (Preempted, KeyboardInterrupt)  # what ends a training that is to go on later


class Pace:
    """Clips a second, the share of waiting and the seconds of a step: means that forget the past."""

    def __init__(self):
        self.steps = self.clips = self.waited = self.seconds = 0.0

    def add(self, clips: int, step_seconds: float, wait_seconds: float) -> None:
        """Take up one step."""
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
    """A context around all of a training, the writing of its model included; only the main process's one does anything.

    Left without an error, status.json says finished; left by a stop that was asked for, preempted; else failed and why.
    Where the folder has been removed nothing is written into what may be another's by now.
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
        """`done` of `steps` are done already; every `every`-th step and the last one are recorded.

        Raises:
            UserError: TensorBoard is asked for and not installed.
        """
        self.main, self.done, self.steps, self.every = main, done, steps, every
        self.folder, self.title = job.folder, f"{job.name} seed {job.seed}"
        self.history = job.folder / "resume" / "history.jsonl"
        self.tensorboard = tensorboard
        self.pace = Pace()
        self.record: dict = {}
        self.written = -math.inf
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise UserError("--tensorboard: the package tensorboard is not installed: `pip install tensorboard`")
        before = _read_status(job.folder / "status.json") if main else {}
        self.about = {
            "steps": steps,
            "started": _now(),
            "starts": 1 if before.get("state") == "finished" else _count(before) + 1,
            "resumed_at": None,
            "host": platform.node(),
            "pid": os.getpid(),
            "process_count": processes,
        }

    def __enter__(self) -> "Log":
        if not self.main:
            return self
        self.history.parent.mkdir(parents=True, exist_ok=True)
        _forget(self.history, self.done, self.done // self.every)
        self.lines = self.history.open("a", buffering=1, encoding="utf-8")
        self.bar = progress(self.title, "step", self.steps, self.done)
        self.events = _events(self.folder / "tensorboard", self.done) if self.tensorboard else None
        if self.done:
            self.resumed(self.done)
        self._write("running")
        return self

    @property
    def starts(self) -> int:
        """How often this training was started, this time included."""
        return self.about["starts"]

    def resumed(self, step: int) -> None:
        """Note that this start goes on at `step`."""
        self.about["resumed_at"] = step

    def step(self, record: dict, clips: int, step_seconds: float, wait_seconds: float) -> None:
        """Take up a step: its line of the history, clips of all processes, seconds of computing and of waiting."""
        if not self.main:
            return
        self._require()
        self.done, self.record = self.done + 1, record
        self.pace.add(clips, step_seconds, wait_seconds)
        if self.done % self.every == 0 or self.done == self.steps:
            self.lines.write(json.dumps(record) + "\n")
            if self.events is not None:
                _add_scalars(self.events, {**record, **self._numbers()}, self.done - 1)
        self.bar.set_postfix_str(_line(record, self._numbers()), refresh=False)
        self.bar.update()
        if time.monotonic() - self.written >= WRITE_SECONDS:
            self._write("running")

    def keep(self) -> None:
        """Let the lines so far outlast a power cut: before the resume point that counts on them is written."""
        self.lines.flush()
        os.fsync(self.lines.fileno())

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
        elif not isinstance(error, Vanished) and self.folder.is_dir():  # else it would be made again
            self._write("failed", str(error) or kind.__name__)

    def _require(self) -> None:
        """Raise `Vanished` where the history has been removed, which this process alone would still see."""
        try:
            there = os.path.samestat(os.stat(self.history), os.fstat(self.lines.fileno()))
        except FileNotFoundError:
            there = False
        if not there:
            raise Vanished(f"{self.history}: was removed while {self.title} was trained: stopped; start it again")

    def _numbers(self) -> dict:
        return {**self.pace.numbers(self.steps - self.done), "memory_mb": _memory_mb()}

    def _write(self, state: str, message: str = "") -> None:
        self.written = time.monotonic()
        said = {"state": state, "step": self.done, **self.about, "updated": _now(), **self._numbers()}
        _write_status(self.folder, {**said, "message": message, "terms": _finite(self.record)})


@contextmanager
def beginning(folder: Path, main: bool = True) -> Iterator[None]:
    """Around what comes before there is a `Log`: status.json says why a training could not begin.

    How far an earlier start came stays in it. Only the main process's one does anything.
    """
    try:
        yield
    except Exception as error:
        if main:
            before = _read_status(folder / "status.json")
            said = {"step": 0, "steps": None, **before, "state": "failed", "starts": _count(before) + 1}
            said |= {"updated": _now(), "host": platform.node(), "pid": os.getpid()}
            _write_status(folder, {**said, "message": str(error) or type(error).__name__})
        raise


def _write_status(folder: Path, said: dict) -> None:
    """A disk that is full or gone stops no training for its status alone."""
    try:
        with atomic(folder / "status.json") as temporary:
            temporary.write_text(json.dumps(said, indent=2, allow_nan=False) + "\n")
    except OSError as reason:
        sys.stderr.write(f"{folder / 'status.json'}: cannot be written: {reason}\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _finite(value: object) -> object:
    """Null for a number that JSON has no word for: the norm of a gradient that half precision could not hold."""
    if isinstance(value, dict):
        return {key: _finite(its) for key, its in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _memory_mb() -> float:
    """Most memory ever used: the accelerator's where there is one, else the process's own."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6, 1)


def _read_status(path: Path) -> dict:
    """What an earlier start said; nothing where it cannot be read, since it only counts starts."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(status: dict) -> int:
    starts = status.get("starts")
    return starts if isinstance(starts, int) and starts > 0 else 0


def _forget(history: Path, done: int, lines: int) -> None:
    """Drop the lines of steps that will be done again, and the one that was being written when the process died.

    Of the `done` steps there were to be so many `lines`; where they are not, since the file is gone or damaged, it is
    said.
    """
    text = history.read_text(encoding="utf-8", errors="replace") if history.exists() else ""
    kept = [line for line in text.splitlines() if _step_of(line) < done]
    if len(kept) < lines:
        lost = f"{lines - len(kept)} of the {lines} lines of the steps before {done} are missing"
        sys.stderr.write(f"{history}: {lost}, and will be in history.jsonl: remove {history.parent} to train anew\n")
    with atomic(history) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _line(record: dict, numbers: dict) -> str:
    """The numbers of a step for people; what matters most first, since a terminal cuts the rest."""
    parts = [f"loss {record['total']:.3f}", f"{numbers['clips_per_second'] or 0:.1f} clips/s"]
    parts += [f"wait {numbers['data_wait'] or 0:.0%}", f"{numbers['memory_mb']:.0f} MB"]
    terms = {**record["classification"], "var": record["variance"], "cov": record["covariance"]}
    parts.append(" ".join(f"{name} {value:.3f}" for name, value in terms.items()))
    parts.append("sigma " + " ".join(f"{name} {value:.3f}" for name, value in record["sigma"].items()))
    return ", ".join(parts)


def _events(folder: Path, done: int):
    """A writer of event files; what an earlier start wrote of steps from `done` on is hidden."""
    from torch.utils.tensorboard import SummaryWriter  # only on demand: the package is optional

    return SummaryWriter(str(folder), purge_step=done)


def _add_scalars(events, values: dict, step: int) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            for key, number in value.items():
                events.add_scalar(f"{name}/{key}", number, step)
        elif name != "step" and value is not None:
            events.add_scalar(name, value, step)
