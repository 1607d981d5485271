"""Progress of a scale's runs, from their records; no model is loaded."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import ValidationError

from multitrain.common.codehash import code_hash
from multitrain.common.errors import UserError
from multitrain.common.files.locks import is_locked
from multitrain.common.ranks import top
from multitrain.common.records.predictions import predictions_path, read_predictions
from multitrain.common.records.run_record import NAME as RECORD
from multitrain.common.records.run_record import RunRecord, read_record
from multitrain.common.records.run_status import NAME as STATUS
from multitrain.common.records.run_status import Status, parse_status
from multitrain.config.experiments import Experiments, Run
from multitrain.config.scale import Scale
from multitrain.model.backbones.declarations import file_hashes

__all__ = ["RunStatus", "run_statuses", "seeds_on_disk"]

SILENT_SECONDS = 600.0  # without an update for so long, and for so many steps, a training counts as dead
SILENT_STEPS = 5

State = Literal["waiting", "running", "stopped", "preempted", "failed", "finished"]


@dataclass(frozen=True)
class RunStatus:
    """The status of one run and seed."""

    run: str
    seed: int
    state: State
    step: int | None = None
    steps: int | None = None
    seconds: float | None = None  # of training, once finished
    seconds_left: float | None = None
    starts: int | None = None
    resumed_at: int | None = None  # step at which the last start went on
    clips_per_second: float | None = None
    data_wait: float | None = None  # part of the time, 0 to 1
    memory_mb: float | None = None
    processes: int | None = None
    note: str = ""  # why it failed or was taken for dead
    top1: dict[str, float] = field(default_factory=dict)  # per cent on the test clips of each dataset evaluated
    best: tuple[str, ...] = ()  # datasets on which no other run and seed has more
    other_code: bool = False  # trained by other numerical code than that at hand
    damaged: tuple[str, ...] = ()  # files that are there and cannot be read


def run_statuses(
    scale: Scale, experiments: Experiments, seeds: Iterable[int], results: Path, now: datetime | None = None
) -> list[RunStatus]:
    """The status of every run and seed, in the order of the experiments.

    Without those that only stand for a file which another run has started from: they are never run.
    """
    now = now or datetime.now(UTC)
    runs = results / "runs" / scale.name
    found = [
        run_status(runs / name / f"seed{seed}", name, run, seed, now)
        for name, run in experiments.runs.items()
        for seed in seeds
    ]
    begun = {(experiments.runs[its.run].init, its.seed) for its in found if its.state != "waiting"}
    shown = experiments.shown_runs()
    found = [its for its in found if its.state != "waiting" or its.run in shown or (its.run, its.seed) not in begun]
    most = {
        dataset: max(its.top1[dataset] for its in found if dataset in its.top1)
        for dataset in {dataset for its in found for dataset in its.top1}
    }
    return [replace(its, best=tuple(name for name, value in its.top1.items() if value == most[name])) for its in found]


def seeds_on_disk(scale: Scale, results: Path) -> tuple[int, ...]:
    """The seeds for which some run of the scale has a folder."""
    folders = (results / "runs" / scale.name).glob("*/seed*")
    return tuple(sorted({int(path.name[4:]) for path in folders if path.name[4:].isdecimal()}))


def run_status(folder: Path, name: str, run: Run, seed: int, now: datetime) -> RunStatus:
    """One run's status from its folder."""
    damaged: list[str] = []
    said, record = _read_status(folder, damaged), _record(folder, damaged)
    status = RunStatus(name, seed, "waiting")
    if said is not None:
        status = _with_status(status, said, now, is_locked(folder))
    elif (folder / "resume").is_dir():
        status = replace(status, state="stopped", note="no word of how far it is")
    ended = record is not None and not (folder / "resume").is_dir()  # which goes when all else is written
    if status.state == "finished" and record is None:
        note = "" if damaged else "its run.json is gone: it is to be trained anew"
        status = RunStatus(name, seed, "waiting", note=note)
    elif record is not None and ended and (said is None or status.state in ("finished", "stopped")):
        status = _finished(status, record, folder)
    if status.state == "finished":
        status = replace(status, top1=_top1(folder, run, damaged))
    return replace(status, damaged=tuple(damaged))


def _with_status(status: RunStatus, said: Status, now: datetime, owned: bool | None) -> RunStatus:
    """The content of status.json, and whether its process still runs and holds the folder."""
    state: State = said.state
    note = " ".join(said.message.split())
    if said.state == "running":
        here, silent = said.host == platform.node(), _silent(said, now)
        if here and (owned is False or not psutil.pid_exists(said.pid)):
            state, note = "stopped", f"process {said.pid} is gone without a word"
        elif silent:
            state, note = "running" if here else "stopped", f"no word from {said.host} for {silent / 60:.0f} minutes"
    known = said.model_dump(
        include={"step", "steps", "starts", "resumed_at", "clips_per_second", "data_wait", "memory_mb", "seconds_left"}
    )
    return replace(status, state=state, note=note, processes=said.process_count, **known)


def _silent(said: Status, now: datetime) -> float:
    """Seconds since a training last wrote its status if that is long for its steps; else 0."""
    seconds = (now - said.updated).total_seconds()
    step = (said.seconds_left or 0) / max((said.steps or 0) - said.step, 1)
    return seconds if seconds > max(SILENT_SECONDS, SILENT_STEPS * step) else 0.0


def _finished(status: RunStatus, record: RunRecord, folder: Path) -> RunStatus:
    steps, starts = record.get("steps"), record.get("starts")
    notes = [] if (folder / "model.pt").is_file() else ["without its model.pt"]
    code = record.get("code", "").split("+")[-1]  # what it ended with
    losses = file_hashes(each["function"] for each in record.get("settings", {}).get("extra_losses", ()))
    first, *own = code.split("-")  # the hash of numerical code, then of files of the user's own
    if other := first not in ("", code_hash()) or not set(losses) <= set(own):
        notes.append(f"trained by other code ({code})")
    known: dict[str, Any] = {
        "starts": status.starts if starts is None else starts,
        "seconds": record.get("seconds"),
        "seconds_left": None,
    }
    step = status.steps if steps is None else steps
    return replace(status, state="finished", step=step, steps=step, note="; ".join(notes), other_code=other, **known)


def _read_status(folder: Path, damaged: list[str]) -> Status | None:
    try:
        return parse_status(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError):
        damaged.append(STATUS)
        return None


def _record(folder: Path, damaged: list[str]) -> RunRecord | None:
    if not (folder / RECORD).exists():
        return None
    try:
        return read_record(folder)
    except (UserError, OSError):
        damaged.append(RECORD)
        return None


def _top1(folder: Path, run: Run, damaged: list[str]) -> dict[str, float]:
    found = {}
    for dataset in run.datasets:
        path = predictions_path(folder, dataset)
        if not path.is_file():
            continue
        try:
            made = path.stat()
            found[dataset] = _accuracy(path, made.st_mtime_ns, made.st_size)
        except (UserError, OSError):
            damaged.append(f"predictions/{path.name}")
    return found


@cache
def _accuracy(path: Path, modified: int, size: int) -> float:
    """Top-1 in percent; an unchanged file is read once, since it has 100 MB at the paper's scale."""
    return float(100 * top(1, read_predictions(path).rank).mean())
