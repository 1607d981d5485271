"""The workflow on a real SLURM: `python -m tests.slurm.run FOLDER`, as root, with slurm-wlm and munge.

1. Two trainings, their evaluation and Table 1 through `snakemake --profile slurm`. While the second trains, it is
   warned as before a time limit (it saves and requeues itself) and later cancelled (Snakemake submits it again). Its
   weights are those of a training that nobody disturbed, bit for bit.
2. The same with two processes: srun starts a torchrun on each of two nodes. Warned, it goes on as well.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from multitrain.common.errors import UserError
from tests.slurm.cluster import cluster
from tests.slurm.project import write

TARGET = "table1.csv"
RUN = "runs/ci/multitrain/seed0"
LOG = "logs/ci/train/multitrain.seed0.log"
JOB = "rule_train_wildcards_multitrain_"  # the start of the comment that the executor gives its job
MINUTES = 10  # for each of the two parts
STEPS = 30  # between a start and the next disturbance


class Workflow:
    """`snakemake --profile slurm` at work in a project."""

    def __init__(self, project: Path, results: str, process: subprocess.Popen):
        self.project, self.results, self.process = project, project / results, process
        self.end = time.monotonic() + 60 * MINUTES

    def until(self, condition: Callable, what: str):
        """The condition's first value that is true; a UserError if the workflow or the time ends before."""
        while not (value := condition()):
            if self.process.poll() is not None or time.monotonic() > self.end:
                raise UserError(f"waited for {what} in vain: see {self.project}/snakemake.log")
            time.sleep(0.5)
        return value

    def training(self, state: str) -> str | None:
        """The id of the second training's job if it is in that state."""
        command = ["squeue", "--noheader", "--format=%i %T %k", "--states=all"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        jobs = [line.split() for line in reversed(lines)]
        return next((job for job, now, rule in jobs if (now, rule.startswith(JOB)) == (state, True)), None)

    def steps(self) -> int:
        """Lines of the second training's history so far."""
        history = self.results / RUN / "resume/history.jsonl"
        return history.read_text().count("\n") if history.exists() else 0

    def disturb(self, *scancel: str) -> tuple[str, int]:
        """Send a signal once the second training has done some steps more; its job's id and the steps done."""
        job = self.until(lambda: self.training("RUNNING"), "the training's start")
        enough = self.steps() + STEPS
        self.until(lambda: self.steps() >= enough, "steps of the training")
        done = self.steps()
        subprocess.run(["scancel", *scancel, job], check=True)
        say(f"scancel {' '.join([*scancel, job])} after step {done}")
        return job, done

    def requeued(self, job: str) -> None:
        """Wait until that job, under its old id, is in the queue again."""
        self.until(lambda: self.training("PENDING") == job, "the training's return to the queue")
        say(f"job {job} has requeued itself")

    def finish(self) -> None:
        """Wait for the workflow's success."""
        status = self.process.wait(max(self.end - time.monotonic(), 1))
        check(status == 0, f"snakemake ended with status {status}: see {self.project}/snakemake.log")


@contextmanager
def workflow(project: Path, results: str) -> Iterator[Workflow]:
    """The workflow's start; it is ended with the block."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--rerun-triggers", "mtime"]
    command += ["--config", f"results={results}", "--", f"{results}/{TARGET}"]
    with open(project / "snakemake.log", "ab") as log:
        process = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, env=environment(project))
    try:
        yield Workflow(project, results, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def environment(project: Path) -> dict[str, str]:
    """The copy's package, and the Python that runs this."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}


def disturbed(project: Path) -> None:
    """Part 1."""
    with workflow(project, "results") as running:
        job, done = running.disturb("--signal=USR1")
        running.requeued(job)
        again, done = running.disturb()
        check(again == job, "the requeued job has another id")
        running.finish()
    check_record(project / "results", done, starts=3, processes=1)
    alone = project / "alone" / Path(RUN).parent.parent
    alone.mkdir(parents=True)
    (alone / "k400_baseline").symlink_to(project / "results/runs/ci/k400_baseline")
    command = [sys.executable, "-m", "multitrain.cli", "train", "multitrain", "--scale", "ci", "--results", "alone"]
    subprocess.run(command, cwd=project, env=environment(project), check=True, stderr=subprocess.DEVNULL)
    one, other = ((project / folder / RUN / "model.pt").read_bytes() for folder in ("results", "alone"))
    check(one == other, "the weights are not those of an undisturbed training")
    say("warned, cancelled and resumed: weights bit-identical to an undisturbed training's")


def several(project: Path) -> None:
    """Part 2."""
    path = project / "config/scales/ci.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "machine": {"nodes": 2}}, sort_keys=False))
    with workflow(project, "two") as running:
        job, done = running.disturb("--signal=USR1")
        running.requeued(job)
        running.finish()
    check_record(project / "two", done, starts=2, processes=2)
    say("two nodes, a process each: warned and resumed")


def check_record(results: Path, done: int, starts: int, processes: int) -> None:
    """The second training went on where it was last disturbed, not at an older resume point."""
    record = json.loads((results / RUN / "run.json").read_text())
    found = {"starts": record["starts"], "processes": record["processes"]}
    check(found == {"starts": starts, "processes": processes}, f"{results / RUN}/run.json has {found}")
    resumed = re.search(r"resuming at step (\d+)", (results / LOG).read_text())
    check(resumed is not None and int(resumed[1]) >= done, f"it did not go on from step {done}: see {results / LOG}")


def check(true: bool, otherwise: str) -> None:
    if not true:
        raise UserError(otherwise)


def say(message: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {message}\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    if folder.exists():
        raise UserError(f"{folder}: exists already: name a folder that is to be made")
    with cluster(folder / "cluster"):
        say("SLURM is up: two nodes")
        project = write(folder / "project", machine={}, epochs=40)
        disturbed(project)
        several(project)
    say("SLURM is down: 2 passed, 0 failed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.slurm.run FOLDER")
    try:
        main(Path(sys.argv[1]).absolute())
    except UserError as error:
        sys.exit(f"error: {error}")
