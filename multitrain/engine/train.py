"""The training loop: one run, in any number of processes, resumable at any step."""

import importlib.metadata
import math
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import torch

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, remove_temporary_files
from multitrain.common.files.locks import FolderLock, locked_folder
from multitrain.common.processor import processor
from multitrain.common.records import history
from multitrain.common.records.history import Step
from multitrain.common.records.run_record import RunRecord, write_record
from multitrain.common.version import commit
from multitrain.config import kernels
from multitrain.data.clips import Batch
from multitrain.data.loader import train_batches, worker_errors
from multitrain.engine.checkpointing.checkpoint import CHECKSUM, ResumePoint, read_state, save_network
from multitrain.engine.checkpointing.finished import BEST, FOLDER, is_finished, link_finished, save_finished
from multitrain.engine.checkpointing.resume import check_state
from multitrain.engine.processes.distributed import ProcessGroup, process_group
from multitrain.engine.processes.preemption import InterruptibleWork, Preempted, StopRequest
from multitrain.engine.reporting.log import Log, startup_errors
from multitrain.engine.setup import Job
from multitrain.engine.training_state import Training
from multitrain.model.files.metadata import Card, Origin, make_card

__all__ = ["train"]

HISTORY_LINES = 4000  # about as many lines are written to history.jsonl
CHECKPOINT_SECONDS, CHECKPOINT_SECONDS_GPU = 60.0, 600.0  # between two resume points; a large model's are slow to write


def train(
    job: Job,
    device: torch.device,
    workers: int = 0,
    checkpoint_seconds: float | None = None,
    tensorboard: bool = False,
    wait: bool = False,
) -> None:
    """Train a run to its end and write model.pt, history.jsonl and run.json into its folder.

    Until the end, the folder `resume` holds the resume point from which a new start continues. Work that was finished
    before is not done again: its files are linked. Only the main process writes files, and locks the folder; with
    `wait`, another process's lock is waited for.

    Raises:
        Preempted: a signal asked to stop; the resume point is that of the last step done.
        UserError: the folder is locked or has been removed; or as `Job.source`, `build_network`, `Training.step` say.
    """
    kernels.require_kernels(job.scale.machine)
    torch.use_deterministic_algorithms(device.type == "cpu")
    with process_group(device) as group, _locked_run(job, group, wait) as lock, StopRequest() as stop:
        with startup_errors(job.folder, group.main):
            training = Training(job, device, group)
            if group.broadcast(group.main and _already_finished(training)):
                return
            resume = _resume_point(job, checkpoint_seconds)
            _resume(training, resume)
            first, share = training.done, training.share
            source = train_batches(training.clips, job.recipe.batch, first, training.steps, workers, share)
            log = Log(job, training.steps, first, _log_interval(training), group.count, group.main, tensorboard)
        with log, group.lost_process_errors(), worker_errors():
            last = time.monotonic()
            while training.done < training.steps:
                batches = stop.take(source, share.parts)
                ready = time.monotonic()
                if lock:
                    lock.require()
                if group.any(batches is None) or batches is None:
                    _stop(training, resume, log, stop)
                record = _step(training, resume, batches, log.records(training.done + 1))
                now = time.monotonic()
                training.seconds, waited = training.seconds + now - last, ready - last
                log.step(record, job.recipe.batch * job.recipe.repeats, now - ready, waited)
                last = time.monotonic() if training.validate(workers) else now
                if group.main and resume.due() and training.is_finite:
                    log.sync()
                    resume.save(**training.state())
            if lock:
                _finish(training, log, lock)
            group.barrier()


def _resume_point(job: Job, seconds: float | None) -> ResumePoint:
    """The run's resume point, saved every `seconds`; None: less often on GPUs, where models are large."""
    if seconds is None:
        seconds = CHECKPOINT_SECONDS_GPU if job.scale.machine.gpus else CHECKPOINT_SECONDS
    return ResumePoint(job.folder / "resume" / "checkpoint.pt", seconds)


def _log_interval(training: Training) -> int:
    """Steps from one line of the history to the next."""
    return math.ceil(training.steps / HISTORY_LINES)


def _step(training: Training, resume: ResumePoint, batches: Sequence[Batch], recorded: bool) -> Step | None:
    """One step; its errors, the same in all processes, say whether there is a resume point."""
    try:
        return training.step(batches, recorded)
    except UserError as error:
        raise UserError(f"{error}; {training.process_group.broadcast(resume.recovery_note)}") from None


@contextmanager
def _locked_run(job: Job, group: ProcessGroup, wait: bool) -> Iterator[FolderLock | None]:
    """The lock of the run's folder in the main process; None in the others, which wait until it is acquired."""
    with ExitStack() as stack:

        def acquire() -> FolderLock:
            with InterruptibleWork():
                what = f"run {job.name} seed {job.seed} is being trained"
                return stack.enter_context(locked_folder(job.folder, what, wait))

        with InterruptibleWork():
            lock = group.run_on_main(f"owner of {job.folder}", acquire)
        yield lock


def _already_finished(training: Training) -> bool:
    """Whether the same training was finished before; if so, its files are linked into the run's folder again."""
    folder = training.job.folder
    if not is_finished(folder, training.fingerprint, training.job.code, _warn):
        return False
    link_finished(folder, training.job.run.checkpoint == "best")
    again = f"to train it anew, remove {folder / FOLDER} first"
    _warn(f"{training.job.name}: this very training was finished before; its files are taken: {again}")
    return True


def _warn(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def _stop(training: Training, resume: ResumePoint, log: Log, stop: StopRequest) -> NoReturn:
    """Write a resume point and end; all processes wait for the main one, since torchrun ends all when one ends."""
    if training.process_group.main and training.is_finite:
        log.sync()
        resume.save(**training.state())
    training.process_group.barrier()
    asked = f"asked to stop by {stop.signal or 'another process'}"
    raise Preempted(
        f"{training.job.name}: {asked} at step {training.done} of {training.steps}: start it again to go on",
        stop.status,
    )


def _resume(training: Training, resume: ResumePoint) -> None:
    """Restore the newest good resume point, chosen by the main process for all.

    Raises:
        UserError: the processes do not read the same file.
    """
    group = training.process_group

    def warn(message: str) -> None:
        if group.main:
            _warn(message)

    if group.main:
        remove_temporary_files(training.job.folder)
    path = group.broadcast(resume.newest(warn, lambda state: check_state(state, training)) if group.main else None)
    if path is None:
        return
    state = read_state(path)
    if len(set(group.all_gather_objects(state.get(CHECKSUM)))) > 1:
        raise UserError(f"{path}: processes read different content: give them one folder of results, and start again")
    training.restore(state)
    if len(training.codes) > 1:
        warn(f"{training.job.name}: the code has changed since this run started; run.json will name both versions")
    warn(f"{training.job.name}: resuming at step {training.done} of {training.steps}")


def _finish(training: Training, log: Log, lock: FolderLock) -> None:
    """Save the finished files, link them into the run's folder, and then remove the resume point."""
    lock.require()

    def write(kept: Path) -> None:
        with atomic(kept / history.NAME) as temporary:
            shutil.copyfile(log.history, temporary)
        record, network, card = _record(training, log), training.scored, _card(training)
        if training.validation is not None:
            record["val"] = training.validation.lines
        write_record(kept, record)
        save_network(kept / "model.pt", network, card)
        if training.validation is not None:
            network.load_state_dict(training.validation.best)
            save_network(kept / BEST, network, card)

    save_finished(training.job.folder, training.fingerprint, training.codes[-1], write)
    link_finished(training.job.folder, training.job.run.checkpoint == "best")


def _record(training: Training, log: Log) -> RunRecord:
    """The content of run.json."""
    job, machine = training.job, training.job.scale.machine
    return {
        "run": job.name,
        "scale": job.scale.name,
        "seed": job.seed,
        "synthetic": any(map(job.scale.synthetic, job.run.datasets)),
        "datasets": {
            name: {"classes": len(source.classes), "clips": len(source), "left_out": source.left_out}
            for name, source in zip(job.run.datasets, training.clips.sources, strict=True)
        },
        "settings": job.run.model_dump(mode="json"),
        "size": job.run.size,
        "pixels": job.size,
        "recipe": job.recipe.model_dump(mode="json"),
        "init": training.init,
        "steps": training.steps,
        "skipped": training.skipped,
        "seconds": round(training.seconds, 1),
        "starts": log.starts,
        "device": training.device.type,
        "processor": {**processor(), "kernels": kernels.kernels(machine, training.device.type)},
        "threads": torch.get_num_threads(),
        "processes": training.process_group.count,
        "parts": training.share.parts,
        "precision": machine.precision,
        "sigma": training.objective.sigma(),
        "code": "+".join(training.codes),
        "commit": commit(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "av", "numpy")},
    }


def _card(training: Training) -> Card:
    """The card of the model file."""
    job = training.job
    origin = Origin(
        run=job.name,
        scale=job.scale.name,
        seed=job.seed,
        steps=training.steps,
        code="+".join(training.codes),
    )
    names = job.run.datasets
    return make_card(
        {name: job.scale.dataset(name) for name in names}, origin, [name for name in names if job.scale.synthetic(name)]
    )
