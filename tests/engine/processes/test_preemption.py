"""Trainings that are killed, asked to stop or meet a loss that is not finite, in one process and in several."""

import itertools
import json
import math
import os
import random
import signal
import sys
import time
from dataclasses import replace

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.config.recipes import Machine, Mixing, RandAugment
from multitrain.data.clips import TrainClips
from multitrain.data.loader import Share, train_batches
from multitrain.engine import setup as job_module
from multitrain.engine import step as step_module
from multitrain.engine import train as train_module
from multitrain.engine.checkpointing.checkpoint import ResumePoint, read_state
from multitrain.engine.processes.distributed import ProcessGroup
from multitrain.engine.processes.preemption import (
    EXIT_INTERRUPTED,
    EXIT_PREEMPTED,
    InterruptibleWork,
    Preempted,
    StopRequest,
)
from multitrain.engine.reporting import log as log_module
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from tests.engine.process_group import forks, in_processes
from tests.engine.stopping import with_run

pytestmark = pytest.mark.xdist_group("processes")  # with test_parallel.py, whose processes it forks too

CPU = torch.device("cpu")
MOMENTS = 90  # of a start, among which one is drawn: those of about three steps
STEP_MOMENTS = 14  # of a step: its 8 clips, itself, and at least 5 files that its resume point opens or renames
EPOCH_STEPS = 4  # of k400 at scale ci in batches of 8


def everything(job, name: str = "k400_baseline", **changes: object) -> Job:
    """A run in which everything that a resume point restores is switched on."""
    recipe = {"epochs": 2.0, "batch": 8, "repeats": 2, "micro_batch": 4, "drop_path": 0.2, "erasing": 0.5}
    recipe |= {"mixing": Mixing(), "randaugment": RandAugment(operations=1)}
    made = job(name, **(recipe | changes))
    return replace(made, scale=made.scale.model_copy(update={"machine": Machine(precision="float16")}))


def run_until(job: Job, moment: int, number: int) -> None:
    """Train in this process, which sends itself a signal at its n-th moment: a clip, a step, a file it touches.

    Which files it touches depends on no clock: there is a resume point after each step, and the status is written at
    the start and the end alone.
    """
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), number)

    def ticking(function):
        return lambda *arguments: (tick(), function(*arguments))[1]

    def watch(event: str, arguments: tuple) -> None:
        if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(job.folder)):
            tick()

    torch.set_num_threads(1)
    sys.addaudithook(watch)
    job_module.code_hash = lambda: "the same"  # a file saved in an editor meanwhile is no part of this
    log_module.WRITE_SECONDS = math.inf
    ResumePoint.due = lambda self: True
    TrainClips.__getitem__ = ticking(TrainClips.__getitem__)
    Training.step = ticking(Training.step)
    try:
        train(job, CPU)
    except Preempted as stopped:
        sys.exit(stopped.status)


@pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_some_moments_it_ends_with_the_same_bytes(job, tmp_path, count):
    """Of a run with mixing, repeats, RandAugment, erasing, parts, dropped paths and a scaler; kills follow on kills."""
    rng, signals = random.Random(3), itertools.cycle([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    kills = [(rng.randrange(1, MOMENTS), number) for number in itertools.islice(signals, count)]
    most = sum(moment // STEP_MOMENTS + 1 for moment, _ in kills)  # steps that all kills let pass
    epochs = (most + 1) / EPOCH_STEPS  # a step is left for the last start
    undisturbed = everything(job, results=tmp_path / "undisturbed", epochs=epochs)
    killed = everything(job, results=tmp_path / "killed", epochs=epochs)
    starts = [(undisturbed, 0, 0), *((killed, *kill) for kill in kills), (killed, 0, 0)]
    ends = forks().exit_codes([(run_until, start) for start in starts], at_once=False)
    status = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: EXIT_PREEMPTED, signal.SIGINT: EXIT_INTERRUPTED}
    expected = [status[number] for _, number in kills]
    assert ends == [0, *expected, 0]
    assert (killed.folder / "model.pt").read_bytes() == (undisturbed.folder / "model.pt").read_bytes()
    assert (killed.folder / "history.jsonl").read_text() == (undisturbed.folder / "history.jsonl").read_text()
    record = json.loads((killed.folder / "run.json").read_text())
    assert count // 2 < record["starts"] <= count + 1  # a start that is killed before it has said so is not counted
    assert record["parts"] == 2 and record["precision"] == "float16" and record["steps"] == most + 1
    assert record["skipped"] == json.loads((undisturbed.folder / "run.json").read_text())["skipped"]


def test_a_step_that_the_scaler_leaves_out_is_counted_and_changes_no_weight(job):
    run = everything(job)
    training = Training(run, CPU)
    training.scaler.load_state_dict({**training.scaler.state_dict(), "scale": 2.0**40})
    batches = list(train_batches(training.clips, 8, 0, 1, 0, training.share))
    before = {name: weight.clone() for name, weight in training.network.state_dict().items()}
    record = training.step(batches)
    assert (record["skipped"], record["gradient_norm"], training.done) == (1, None, 1)
    assert all(torch.equal(weight, before[name]) for name, weight in training.network.state_dict().items())
    assert training.scaler.get_scale() == 2.0**39
    again = Training(run, CPU)
    again.restore(training.state())
    assert (again.skipped, again.scaler.get_scale()) == (1, 2.0**39)


def test_a_wait_for_data_is_interrupted_and_a_step_is_not():
    def never():
        yield "first"
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(10_000)

    before = signal.getsignal(signal.SIGUSR1)
    with StopRequest() as stop:
        source = never()
        assert stop.take(source, 1) == ["first"] and stop.signal is None
        assert stop.take(source, 1) is None and stop.signal == "SIGUSR1"
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)  # as in a step: noted, no more
        assert stop.signal == "SIGTERM" and stop.take(iter("ab"), 1) is None
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_second_interrupt_ends_at_once_and_one_that_is_passed_on_is_the_first(monkeypatch):
    """A terminal signals torchrun and its processes, to which torchrun then passes it on."""
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert (stop.signal, stop.status) == ("SIGINT", EXIT_INTERRUPTED)
        monkeypatch.setattr("multitrain.engine.processes.preemption.GRACE", 0.0)
        os.kill(os.getpid(), signal.SIGTERM)  # a second signal of another kind changes nothing
        assert (stop.signal, stop.status) == ("SIGINT", EXIT_INTERRUPTED)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("went on")


def test_a_job_in_the_background_ignores_the_interrupt_of_another():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest() as stop, InterruptibleWork():
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_of_the_data_is_no_request_to_stop(monkeypatch):
    monkeypatch.setattr("multitrain.engine.processes.preemption.GRACE", 0.0)
    with StopRequest() as stop, pytest.raises(UserError, match="damaged"):
        stop.take((_ for _ in [UserError]), 1)
        stop.take(map(_fail, "a"), 1)


def _fail(_: str):
    raise UserError("damaged")


def _stuck(group: ProcessGroup, job: Job, stuck_at: int) -> str:
    """Train; from some step on process 1 gets no more data, and it alone is asked to stop."""

    def batches(*arguments):
        for number, batch in enumerate(train_batches(*arguments)):
            if number == stuck_at and group.rank == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(10_000)
            yield batch

    train_module.train_batches = batches
    try:
        train(job, CPU)
    except Preempted as stopped:
        return str(stopped)
    return "ended"


def _lines(job: Job) -> list[dict]:
    return [json.loads(line) for line in (job.folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("informative", [True, False], ids=["informative", "plain"])
def test_processes_stop_together_and_another_number_goes_on(job, tmp_path, informative):
    """Two processes, of which one waits and is asked to stop; one process in two parts goes on; as one undisturbed."""
    common = {"epochs": 2.0, "mixing": Mixing(), "drop_path": 0.2}

    def made(where: str, **changes: object) -> Job:
        shaped = job("k400_baseline", results=tmp_path / where, **(common | changes))
        return with_run(shaped, informative=informative)

    said = in_processes(2, tmp_path / "processes", _stuck, made("parted"), 3)
    assert "by another process at step 3 of 8" in said[0] and "by SIGUSR1 at step 3 of 8" in said[1]
    state = json.loads((made("parted").folder / "status.json").read_text())
    assert (state["state"], state["step"], state["process_count"]) == ("preempted", 3, 2)
    train(made("parted", micro_batch=4), CPU)
    train(made("whole"), CPU)
    record = json.loads((made("parted").folder / "run.json").read_text())
    assert (record["starts"], record["parts"], record["processes"]) == (2, 2, 1)
    for one, other in zip(_lines(made("parted")), _lines(made("whole")), strict=True):
        assert one["total"] == pytest.approx(other["total"], rel=1e-4)


def _not_finite(group: ProcessGroup, job: Job) -> str:
    """Train; from its fourth step on a clip of process 1 is not a number."""
    calls, plain = 0, step_module.normalise

    def normalise(video, how):
        nonlocal calls
        calls += 1
        video = plain(video, how)
        if calls > 3 and group.rank == 1:
            video[2] = torch.nan
        return video

    step_module.normalise = normalise
    try:
        train(job, CPU, checkpoint_seconds=0)
    except UserError as error:
        return str(error)
    return "ended"


def test_a_loss_that_is_not_finite_in_one_process_stops_all_and_names_its_clip(job, tmp_path):
    run = job("k400_baseline", epochs=2.0)
    first, second = in_processes(2, tmp_path / "processes", _not_finite, run)
    batch = next(iter(train_batches(Training(run, CPU).clips, 8, 3, 4, 0, Share(1, 2))))
    assert first == second
    assert f"the loss is nan at step 3 on clips {batch.clip_ids[2]} (k400 nan, variance " in first
    assert "last resume point is kept" in first
    assert read_state(ResumePoint(run.folder / "resume" / "checkpoint.pt", 0).newest(pytest.fail))["done"] in (1, 2, 3)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "failed"
