"""`torchrun -m multitrain.cli train` end to end: two processes, stopped by a signal, started again to the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from multitrain.engine.train import train

pytestmark = pytest.mark.slow  # test_preemption.py has the same without torchrun

ROOT = Path(__file__).parents[3]
SECONDS = 600  # after which processes that hang are ended

# `multitrain train` whose main process sends SIGTERM to torchrun in its third step, and waits until it comes back.
STOPPED = """
import os, signal, sys, time
from multitrain.engine.training_state import Training
step = Training.step
def stopped(self, batches, *recorded):
    if self.done == 2 and self.process_group.main:
        signal.signal(signal.SIGTERM, lambda *_: (came.append(1), note(*_)))
        os.kill(os.getppid(), signal.SIGTERM)
        while not came:
            time.sleep(0.01)
    return step(self, batches, *recorded)
came = []
from multitrain.engine.processes.preemption import StopRequest
enter = StopRequest.__enter__
def kept(self):
    global note
    note = self._note
    return enter(self)
StopRequest.__enter__ = kept
Training.step = stopped
from multitrain.cli import run
run(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> None:
    """torchrun leaves a folder among temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def torchrun(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment)


# The same, where a terminal interrupts all of them, torchrun too, which passes it on: each process gets it twice.
INTERRUPTED = """
import os, signal, sys, time
from multitrain.engine.training_state import Training
step = Training.step
def stopped(self, batches, *recorded):
    if self.done == 2 and self.process_group.main:
        os.killpg(os.getppid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
    return step(self, batches, *recorded)
Training.step = stopped
from multitrain.cli import run
run(sys.argv[1:])
"""


def test_ctrl_c_in_a_terminal_stops_two_processes_at_a_step(job, data, tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    run = job("k400_baseline", results=tmp_path / "two")
    arguments = ["--standalone", "--nproc-per-node=2", str(script), "train", run.name, "--scale", "ci"]
    arguments += ["--config-dir", str(ROOT / "config"), "--data", str(data), "--results", str(run.results)]
    command = [sys.executable, "-m", "multitrain.engine.processes.torchrun", *arguments, "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    how = {"capture_output": True, "text": True, "timeout": SECONDS, "cwd": ROOT, "env": environment}
    stopped = subprocess.run(command, start_new_session=True, **how)
    assert stopped.returncode == 130 and "by SIGINT at step 3 of 4" in stopped.stderr, stopped.stderr
    status = json.loads((run.folder / "status.json").read_text())
    assert (status["state"], status["step"], status["process_count"]) == ("preempted", 3, 2)
    assert (run.folder / "resume" / "checkpoint.pt").exists()


def test_two_processes_are_stopped_by_sigterm_and_go_on_to_what_one_finds(job, data, tmp_path):
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED)
    run = job("k400_baseline", results=tmp_path / "two")
    arguments = ["train", run.name, "--scale", "ci", "--config-dir", str(ROOT / "config"), "--data", str(data)]
    arguments += ["--results", str(run.results), "--device", "cpu"]
    stopped = torchrun(str(script), *arguments)
    assert stopped.returncode != 0 and "by SIGTERM at step 3 of 4" in stopped.stderr, stopped.stderr
    status = json.loads((run.folder / "status.json").read_text())
    assert (status["state"], status["step"], status["process_count"]) == ("preempted", 3, 2)
    assert (run.folder / "resume" / "checkpoint.pt").exists() and not (run.folder / "model.pt").exists()

    ended = torchrun("-m", "multitrain.cli", *arguments)
    assert ended.returncode == 0, ended.stderr
    assert "resuming at step 3 of 4" in ended.stderr
    record = json.loads((run.folder / "run.json").read_text())
    assert (record["processes"], record["starts"]) == (2, 2)
    alone = job("k400_baseline", results=tmp_path / "one")
    train(alone, torch.device("cpu"))
    histories = [[json.loads(line) for line in (j.folder / "history.jsonl").open()] for j in (run, alone)]
    assert len(histories[0]) == len(histories[1]) == 4
    for one, other in zip(*histories, strict=True):
        assert one["total"] == pytest.approx(other["total"], rel=1e-4)
        assert one["epoch"] == other["epoch"] and one["rate"] == other["rate"]
