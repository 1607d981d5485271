"""The log of a training: the same history however often it was killed, and a status that has the right state."""

import json
import math
import os
import shutil
import sys
from datetime import UTC, datetime

import pytest
import torch

from multitrain.analysis.study.run_progress import RunStatus, run_status
from multitrain.common.errors import UserError
from multitrain.common.records import run_status as run_status_file
from multitrain.engine.processes.preemption import Preempted
from multitrain.engine.reporting import log as module
from multitrain.engine.reporting.log import Log, Pace, startup_errors
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from tests.engine.stopping import Killed


@pytest.fixture
def job(scale, experiments, tmp_path) -> Job:
    return Job(scale, experiments, "joint", 3, tmp_path / "data", tmp_path / "results")


def record(step: int) -> dict:
    return {
        "step": step,
        "epoch": step / 10,
        "rate": 1e-3,
        "total": 5.0 + step,
        "variance": 0.5,
        "covariance": 2.0,
        "classification": {"k400": 1.25, "mit": 3.5},
        "sigma": {"k400": 1.0, "mit": 1.5},
        "gradient_norm": 3.0,
    }


def work(log: Log, first: int, last: int, seconds: float = 1.0, wait: float = 0.25) -> None:
    for step in range(first, last):
        log.step(record(step), 8, seconds, wait)


def status(job: Job) -> dict:
    return json.loads((job.folder / "status.json").read_text())


def history(job: Job) -> str:
    return (job.folder / "resume" / "history.jsonl").read_text()


def undisturbed(job: Job, steps: int, every: int) -> str:
    other = Job(job.scale, job.experiments, job.name, 99, job.data, job.results)
    with Log(other, steps, 0, every) as log:
        work(log, 0, steps)
    return history(other)


@pytest.mark.parametrize("every", [1, 3])
def test_a_killed_run_has_the_history_of_an_undisturbed_one(job, every):
    """Killed at step 7 with resume points after 3 and 5 steps; a half-written line at the end."""
    with pytest.raises(Killed), Log(job, 10, 0, every) as log:
        work(log, 0, 7)
        raise Killed
    with (job.folder / "resume" / "history.jsonl").open("a") as stream:
        stream.write('{"step": 4, "epo')
    with pytest.raises(Killed), Log(job, 10, 5, every) as log:
        work(log, 5, 6)
        raise Killed
    with Log(job, 10, 3, every) as log:
        work(log, 3, 10)
    assert history(job) == undisturbed(job, 10, every)
    steps = [json.loads(line)["step"] for line in history(job).splitlines()]
    assert steps == (list(range(10)) if every == 1 else [2, 5, 8, 9])


def test_the_history_holds_no_clock(job):
    with Log(job, 4, 0, 1) as log:
        work(log, 0, 4, seconds=0.5)
    first = history(job)
    with Log(job, 4, 0, 1) as log:
        work(log, 0, 4, seconds=50.0)
    assert history(job) == first
    assert json.loads(first.splitlines()[2]) == record(2)


@pytest.mark.parametrize("damage", [b"\x00\xff\xfe", b"[]\n3\nnull\n", b'{"step": "one"}\n', b""])
def test_a_damaged_history_gives_way(job, damage):
    (job.folder / "resume").mkdir(parents=True)
    (job.folder / "resume" / "history.jsonl").write_bytes(damage)
    with Log(job, 4, 0, 1) as log:
        work(log, 0, 4)
    assert history(job) == undisturbed(job, 4, 1)


def test_the_status_follows_the_run(job):
    with Log(job, 10, 0, 1, processes=4) as log:
        said = status(job)
        assert (said["state"], said["step"], said["steps"], said["starts"]) == ("running", 0, 10, 1)
        assert said["seconds_left"] is None and said["terms"] == {}
        assert (said["pid"], said["process_count"]) == (os.getpid(), 4)
        work(log, 0, 10)
    said = status(job)
    assert (said["state"], said["step"], said["message"], said["seconds_left"]) == ("finished", 10, "", 0)
    assert said["clips_per_second"] == pytest.approx(8 / 1.25) and said["data_wait"] == pytest.approx(0.2)
    assert said["terms"] == record(9) and said["memory_mb"] > 1
    assert said["started"] <= said["updated"]


def test_a_number_that_is_not_finite_leaves_the_status_valid(job):
    with Log(job, 1, 0, 1) as log:
        log.step({**record(0), "gradient_norm": math.inf, "sigma": {"k400": math.nan}}, 8, 1.0, 0.0)
    said = (job.folder / "status.json").read_text()
    terms = json.loads(said, parse_constant=pytest.fail)["terms"]
    assert terms["gradient_norm"] is None and terms["sigma"] == {"k400": None} and terms["total"] == 5.0
    assert json.loads(history(job))["gradient_norm"] == math.inf


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (UserError("the loss is nan at step 2"), "failed", "the loss is nan at step 2"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (Preempted("told to stop by SIGTERM"), "preempted", "told to stop by SIGTERM"),
        (KeyboardInterrupt(), "preempted", "interrupted: started again, it goes on from its last resume point, if any"),
    ],
)
def test_the_end_of_a_run_is_in_its_status(job, error, state, message):
    with pytest.raises(type(error)), Log(job, 10, 0, 1) as log:
        work(log, 0, 2)
        raise error
    said = status(job)
    assert (said["state"], said["message"], said["step"], said["seconds_left"]) == (state, message, 2, 10)


def test_a_run_that_cannot_begin_has_the_reason_in_its_status(job):
    def fail(message: str) -> RunStatus:
        with pytest.raises(UserError), startup_errors(job.folder):
            raise UserError(message)
        return run_status(job.folder, job.name, job.run, job.seed, datetime.now(UTC))

    said = fail("no such manifest")
    assert (said.state, said.note, said.starts, said.steps) == ("failed", "no such manifest", 1, None)
    assert said.damaged == ()
    with pytest.raises(Killed), Log(job, 10, 0, 1) as log:
        work(log, 0, 4)
        raise Killed
    said = fail("a disk is gone")
    assert (said.state, said.note, said.starts, said.step, said.steps) == ("failed", "a disk is gone", 3, 4, 10)
    with Log(job, 10, 4, 1):
        assert status(job)["state"] == "running" and status(job)["message"] == ""


def test_only_the_main_process_writes_the_reason(job):
    with pytest.raises(UserError), startup_errors(job.folder, main=False):
        raise UserError("no such manifest")
    assert not job.folder.exists()


def test_a_training_without_data_has_failed_in_its_status(job):
    with pytest.raises(UserError, match="manifest"):
        train(job, torch.device("cpu"))
    said = status(job)
    assert said["state"] == "failed" and "manifest" in said["message"]


def test_starts_are_counted_until_a_run_is_finished(job):
    for done in (0, 2):
        with pytest.raises(Killed), Log(job, 5, done, 1) as log:
            work(log, done, done + 1)
            raise Killed
    with Log(job, 5, 2, 1) as log:
        assert status(job)["starts"] == log.starts == 3 and status(job)["resumed_at"] == 2
        work(log, 2, 5)
    with Log(job, 5, 0, 1):
        assert status(job)["starts"] == 1 and status(job)["resumed_at"] is None
    (job.folder / "status.json").write_bytes(b"\xff{")
    with Log(job, 5, 0, 1):
        assert status(job)["starts"] == 1


def test_the_status_is_not_written_at_every_step(job, monkeypatch):
    written = []
    original = Log._write
    monkeypatch.setattr(Log, "_write", lambda self, *said: (written.append((self.done, *said)), original(self, *said)))
    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: 3.0 * next(clock))
    with Log(job, 10, 0, 1) as log:
        work(log, 0, 10)
    assert [said for said in written if said[0] not in (0, 10)] and len(written) < 8
    assert written[0] == (0, "running") and written[-1] == (10, "finished")


def test_a_status_that_cannot_be_written_stops_nothing(job, monkeypatch, capsys):
    def full(*said, **how):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_status_file, "write_json", full)
    with Log(job, 4, 0, 1) as log:
        work(log, 0, 4)
    assert history(job) == undisturbed(job, 4, 1)
    assert "status.json: cannot be written" in capsys.readouterr().err


def test_only_the_main_process_writes(job):
    with Log(job, 4, 0, 1, processes=2, main=False) as log:
        work(log, 0, 4)
    assert not job.folder.exists()


def test_the_status_command_reads_what_a_log_writes(job):
    def found() -> RunStatus:
        return run_status(job.folder, job.name, job.run, job.seed, datetime.now(UTC))

    assert found().state == "waiting"
    for error, state in ((UserError("too high"), "failed"), (Preempted("asked to stop"), "preempted")):
        with pytest.raises(type(error)), Log(job, 10, 0, 1, processes=4) as log:
            work(log, 0, 2)
            raise error
        said = found()
        assert (said.state, said.note, said.step, said.steps, said.damaged) == (state, str(error), 2, 10, ())
    with Log(job, 10, 2, 1, processes=4) as log:
        assert (found().state, found().starts, found().resumed_at, found().processes) == ("running", 3, 2, 4)
        work(log, 2, 10)
        shutil.rmtree(job.folder / "resume")
        (job.folder / "run.json").write_text(json.dumps({"synthetic": True, "steps": 10, "seconds": 9, "starts": 3}))
    assert (found().state, found().step, found().starts) == ("finished", 10, 3)
    assert found().clips_per_second == pytest.approx(6.4)


def test_a_line_of_progress_has_every_number(job, capsys):
    with Log(job, 3, 0, 1) as log:
        work(log, 0, 3)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("joint seed 3: 3/3 steps")
    for part in ("loss 7.000", "6.4 clips/s", "wait 20%", "MB", "left", "k400 1.250", "var 0.500", "cov 2.000"):
        assert part in said
    assert "sigma k400 1.000 mit 1.500" in said


def test_pace_is_that_of_the_last_steps():
    pace = Pace()
    assert pace.numbers(5) == {"clips_per_second": None, "data_wait": None, "seconds_left": None}
    for _ in range(100):
        pace.add(8, 9.0, 1.0)
    assert pace.numbers(6) == {"clips_per_second": 0.8, "data_wait": 0.1, "seconds_left": 60}
    for _ in range(100):
        pace.add(8, 1.0, 1.0)
    found = pace.numbers(6)
    assert found["clips_per_second"] == pytest.approx(4, rel=0.01) and found["data_wait"] == pytest.approx(
        0.5, rel=0.02
    )
    assert found["seconds_left"] == 12
    assert all(math.isfinite(value) for value in found.values())


def test_a_missing_tensorboard_is_named(job, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--tensorboard: the package tensorboard is not installed: `pip install"):
        Log(job, 4, 0, 1, tensorboard=True)
    assert not job.folder.exists()


def test_event_files_hold_the_recorded_steps(job):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(Killed), Log(job, 6, 0, 1, tensorboard=True) as log:
        work(log, 0, 5)
        raise Killed
    with Log(job, 6, 3, 1, tensorboard=True) as log:
        work(log, 3, 6)
    found = accumulator.EventAccumulator(str(job.folder / "tensorboard"))
    found.Reload()
    assert [(each.step, each.value) for each in found.Scalars("total")] == [(step, 5.0 + step) for step in range(6)]
    expected = {"classification/k400", "sigma/mit", "variance", "clips_per_second", "data_wait", "memory_mb", "rate"}
    assert expected <= set(found.Tags()["scalars"])
    assert "step" not in found.Tags()["scalars"]


def test_log_does_not_need_tensorboard(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with Log(job, 2, 0, 1) as log:
        work(log, 0, 2)
    assert not (job.folder / "tensorboard").exists()
