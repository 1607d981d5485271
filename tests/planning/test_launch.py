"""Launch of a training: its command and resources on every kind of machine, and the signals that reach it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from multitrain.config.recipes import Machine
from multitrain.engine.processes import torchrun
from multitrain.planning import launch

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "workflow/scripts/train.sh"
SECONDS = 600  # time limit of a process that hangs

LAPTOP = Machine()
GPU = Machine(gpus=1, workers=2)
NODE = Machine(gpus=8, workers=6)
CLUSTER = Machine(nodes=4, gpus=8, workers=6)
PROCESSORS = Machine(nodes=2, cpu_processes=3)


@pytest.mark.parametrize("machine", [LAPTOP, GPU])
def test_one_process_is_started_by_python_alone(machine: Machine):
    assert launch.command(machine) == "python -m multitrain.cli train"


def test_torchrun_starts_the_processes_of_one_node():
    words = shlex.split(launch.command(NODE))
    assert words == [
        *("python", "-m", "multitrain.engine.processes.torchrun", "--nproc-per-node=8", "--standalone"),
        *("-m", "multitrain.cli", "train"),
    ]


@pytest.mark.parametrize("machine", [CLUSTER, PROCESSORS])
def test_srun_starts_one_torchrun_a_node_and_all_meet_at_the_first(machine: Machine):
    line = launch.command(machine)
    echoed = subprocess.run(["bash", "-uc", f"printf '%s\\n' {line}"], env={**os.environ, "SLURM_JOB_ID": "12345"},
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    assert echoed[:4] == ["srun", f"--nodes={machine.nodes}", f"--ntasks={machine.nodes}", "--ntasks-per-node=1"]
    assert f"--nproc-per-node={machine.node_processes}" in echoed and f"--nnodes={machine.nodes}" in echoed
    assert f"--rdzv-endpoint={os.uname().nodename}:22345" in echoed and "--rdzv-id=12345" in echoed
    assert ("--gres=gpu:8" in echoed) == (machine.gpus > 0)


@pytest.mark.parametrize("machine", [LAPTOP, GPU, NODE, CLUSTER, PROCESSORS])
def test_the_resources_fit_the_processes(machine: Machine):
    resources = launch.training_resources(machine)
    assert resources["nodes"] * launch.cores(machine) == machine.processes * (1 + machine.workers)
    accelerators = resources["nodes"] * int(str(resources.get("gres", "gpu:0"))[4:]) + resources.get("gpu", 0)
    assert accelerators == machine.nodes * machine.gpus
    process = launch.MEGABYTES + machine.workers * launch.MEGABYTES_WORKER
    assert resources["mem_mb"] >= machine.node_processes * process
    # for several tasks the executor makes an MPI job, in which srun starts all but the first
    assert ("mpi" in resources) == (machine.nodes > 1) == (resources.get("tasks", 1) > 1)


def test_an_evaluation_requests_one_accelerator_and_no_second_process():
    resources = launch.evaluation_resources(CLUSTER)
    assert resources["gpu"] == 1 and "nodes" not in resources
    assert resources["mem_mb"] * 8 == launch.training_resources(CLUSTER)["mem_mb"]
    assert launch.evaluation_resources(LAPTOP)["gpu"] == 0


def test_a_training_is_warned_before_its_time_limit():
    assert launch.training_resources(NODE)["slurm_extra"] == "--signal=USR1@300"
    assert launch.WARNING_SECONDS < 60 * launch.MINUTES


# The shell around a training.

SAVES = """
import signal, sys, time
stopped = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: stopped.append(number))
print("started", flush=True)
while not stopped:
    time.sleep(0.02)
time.sleep(0.5)
print("stopping", signal.Signals(stopped[0]).name, flush=True)
for part in range(2000):
    print("saved", part, flush=True)
sys.exit(75)
"""


class Shell:
    """The shell line of a training as Snakemake starts it, in its own process group."""

    def __init__(self, folder: Path, program: str, **environment: str):
        self.log = folder / "train.log"
        (folder / "train.py").write_text(program)
        words = ["bash", str(SCRIPT), str(self.log), sys.executable, str(folder / "train.py")]
        line = f"set -euo pipefail; export PYTHONUNBUFFERED=1; exec {shlex.join(words)}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        self.process = subprocess.Popen(
            ["bash", "-c", line],
            start_new_session=True,
            env=clean | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def signal(self, number: signal.Signals) -> str:
        """Signal every process once the training has started; the output of the shell from then to its end."""
        assert self.process.stdout.readline() == "started\n"
        os.killpg(self.process.pid, number)
        return self.process.communicate(timeout=SECONDS)[0]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_to_the_whole_job_lets_the_training_save(tmp_path: Path, name: str):
    shell = Shell(tmp_path, SAVES)
    said = shell.signal(signal.Signals[name]).splitlines()
    assert said == [f"stopping {name}", *(f"saved {part}" for part in range(2000))]
    assert shell.process.returncode == 75
    assert shell.log.read_text().splitlines() == ["started", *said]


def scontrol(folder: Path, status: int) -> str:
    """A PATH with a scontrol that logs its arguments."""
    (folder / "bin").mkdir()
    for name, body in (("scontrol", f'echo "$@" >> {folder}/calls; exit {status}'), ("sleep", "exit 0")):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / "bin" / name).chmod(0o755)
    return f"{folder}/bin:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("name", "requeued", "status"), [("SIGUSR1", True, 0), ("SIGUSR1", True, 1), ("SIGTERM", False, 0)]
)
def test_a_job_requeues_itself_before_its_limit_but_not_when_cancelled(tmp_path, name: str, requeued: bool, status):
    shell = Shell(tmp_path, SAVES, SLURM_JOB_ID="17", PATH=scontrol(tmp_path, status))
    shell.signal(signal.Signals[name])
    assert shell.process.returncode == 75
    assert (tmp_path / "calls").exists() == requeued
    if requeued:
        assert (tmp_path / "calls").read_text() == "requeue 17\n"


def test_a_failure_keeps_its_status_and_requeues_nothing(tmp_path: Path):
    shell = Shell(tmp_path, "import sys; sys.exit('error: no data')", SLURM_JOB_ID="17", PATH=scontrol(tmp_path, 0))
    assert shell.process.communicate(timeout=SECONDS)[0] == "error: no data\n"
    assert shell.process.returncode == 1
    assert not (tmp_path / "calls").exists()


def test_several_nodes_without_slurm_are_one_message(tmp_path: Path):
    words = ["bash", str(SCRIPT), str(tmp_path / "log"), "srun_of_no_cluster", "--nodes=2"]
    refused = subprocess.run(words, capture_output=True, text=True)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1 and "--profile slurm" in refused.stderr


# torchrun with its processes' exit status.


def started(folder: Path, program: str) -> subprocess.Popen:
    (folder / "part.py").write_text(program)
    words = [sys.executable, "-m", "multitrain.engine.processes.torchrun", "--nproc-per-node=2", "--standalone"]
    words.append(str(folder / "part.py"))
    own = {**os.environ, "TMPDIR": str(folder)}  # torchrun leaves a folder there
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=own)


@pytest.mark.parametrize(("code", "ends"), [(75, 75), (1, 1), (-9, 137), (-15, 143)])
def test_the_status_is_that_of_the_process_that_failed_first(monkeypatch, code: int, ends: int):
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

    def fail(_):
        failures = {rank: ProcessFailure(rank, rank, code, "") for rank in (1, 0)}
        failures[0].timestamp, failures[0].exitcode, failures[1].timestamp = 2, 3, 1
        raise ChildFailedError("part.py", failures)

    before = signal.getsignal(signal.SIGUSR1)
    try:
        monkeypatch.setattr(run, "run", fail)
        assert torchrun.run(["part.py"]) == ends
        monkeypatch.setattr(run, "run", lambda _: None)
        assert torchrun.run(["part.py"]) == 0
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.slow
@pytest.mark.parametrize(("status", "ends"), [(75, 75), (-9, 137)])
def test_torchrun_ends_with_the_status_of_its_processes(tmp_path: Path, status: int, ends: int):
    leave = f"os.kill(os.getpid(), {-status})" if status < 0 else f"sys.exit({status})"
    process = started(tmp_path, f"import os, sys\n{leave}")
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == ends
    assert "Traceback" not in said


@pytest.mark.slow
def test_torchrun_passes_sigterm_on_and_leaves_sigusr1_to_its_processes(tmp_path: Path):
    begins, ends = (f'open("{tmp_path}/{name}" + os.environ["RANK"], "w")' for name in ("begun", "ended"))
    named = f"print(signal.Signals(stopped[0]).name, file={ends})"
    waits = SAVES.replace('print("started"', f'{begins}; print("started"').replace("sys.exit", f"{named}; sys.exit")
    process = started(tmp_path, "import os" + waits)
    end = time.monotonic() + SECONDS
    while not all((tmp_path / f"begun{rank}").exists() for rank in "01") and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, wrong = process.communicate(timeout=SECONDS)
    assert [(tmp_path / f"ended{rank}").read_text() for rank in "01"] == ["SIGTERM\n"] * 2
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in wrong
