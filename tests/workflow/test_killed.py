"""Snakemake is killed while it trains, unlocked and started again, beside the training that it has left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from multitrain.common.files.locks import NAME, is_locked
from tests.workflow.test_workflow import copy_of_project

STEPS = 40
RUN, SCALE = "k400_baseline", "ci"
FILES = ("model.pt", "history.jsonl")
WAITING, TAKEN = "waiting for its end", "finished before; its files are taken"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed")]


@dataclass(frozen=True)
class Place:
    """A project, and one folder of results in it."""

    project: Path
    results: str

    @property
    def folder(self) -> Path:
        return self.project / self.results / "runs" / SCALE / RUN / "seed0"

    def snakemake(self, *arguments: str, **how) -> subprocess.Popen:
        target = f"{self.results}/runs/{SCALE}/{RUN}/seed0/model.pt"
        command = [sys.executable, "-m", "snakemake", target, "--cores", "1", "--rerun-incomplete", *arguments]
        command += ["--config", f"scale={SCALE}", f"results={self.results}"]
        return subprocess.Popen(command, cwd=self.project, **how)

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.snakemake(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            said = process.communicate()[0]
        return process.returncode, said

    def send(self, number: signal.Signals) -> bool:
        """Signal the process that trains there; whether there is one."""
        try:
            os.kill(json.loads((self.folder / NAME).read_text())["pid"], number)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def bytes(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in FILES}


def wait_for(event: Callable[[], object]) -> None:
    """Until it has come; two minutes later something is broken, however slow the machine."""
    until = time.monotonic() + 120
    while not event():
        assert time.monotonic() < until
        time.sleep(0.005)


def lines(count: int) -> Callable[[Path], bool]:
    def come(folder: Path) -> bool:
        history = folder / "resume" / "history.jsonl"
        return history.exists() and history.read_bytes().count(b"\n") >= count

    return come


def there(name: str) -> Callable[[Path], bool]:
    return lambda folder: (folder / name).exists()


MOMENTS = {
    "owned": lambda folder: is_locked(folder),
    "begun": there("resume/history.jsonl"),
    **{f"step {count}": lines(count) for count in (1, 5, 15, 30, STEPS)},
    "kept": there("finished/model.pt"),
    "sealed": there("finished/work.json"),
    "shown": there("model.pt"),
}

ENDS = ("orphan first", "new first")
MORE = [("step 15", "orphan dies"), ("sealed", "new first")]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with a longer training, a resume point after each step, and clips."""
    folder = copy_of_project(tmp_path_factory.mktemp("killed"))
    for name, old, new in (
        ("config/scales/ci.yaml", "epochs: 1\n", f"epochs: {STEPS // 4}\n"),
        (
            "multitrain/engine/train.py",
            "CHECKPOINT_SECONDS, CHECKPOINT_SECONDS_GPU = 60.0",
            "CHECKPOINT_SECONDS, CHECKPOINT_SECONDS_GPU = 0.0",
        ),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))
    return folder


@pytest.fixture(scope="module")
def undisturbed(project: Path) -> dict[str, bytes]:
    place = Place(project, "undisturbed")
    status, said = place.run()
    assert status == 0, said
    found = place.bytes()
    assert found["history.jsonl"].count(b"\n") == STEPS
    return found


@pytest.mark.parametrize(("moment", "ends"), [(moment, ENDS[i % 2]) for i, moment in enumerate(MOMENTS)] + MORE)
def test_a_training_left_behind_and_the_next_one_lose_nothing(project, undisturbed, moment, ends):
    """The one left behind is is_locked back until the next one waits for it, where it still lives."""
    place = Place(project, f"{moment} {ends}".replace(" ", "_"))
    first = place.snakemake(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: MOMENTS[moment](place.folder))
    first.kill()
    first.wait()
    first.stdout.close()  # nobody reads any more what the training says
    place.send(signal.SIGSTOP)
    assert place.run("--unlock")[0] == 0
    output = project / f"{place.results}.txt"
    with output.open("w") as stream:
        second = place.snakemake(stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        wait_for(lambda: WAITING in output.read_text() or second.poll() is not None)
        waits = WAITING in output.read_text()
        if ends == "new first" and waits:  # Ctrl-C, which a terminal sends to all of them
            os.killpg(second.pid, signal.SIGINT)
            assert second.wait() != 0
        if waits:
            place.send(signal.SIGKILL if ends == "orphan dies" else signal.SIGCONT)
        status = second.wait()
    said = output.read_text()
    if ends == "new first" and waits:
        wait_for(lambda: not is_locked(place.folder))
        status, said = place.run()
    assert status == 0, said
    assert place.bytes() == undisturbed
    assert not (place.folder / "resume").exists()
    if waits and ends != "orphan dies":
        assert TAKEN in said
    shutil.rmtree(project / place.results)
