"""Finished files: linked again after they were deleted, never taken if changed; the lock of a run's folder."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.common.files.locks import FolderRemoved
from multitrain.engine import setup as job_module
from multitrain.engine import train as train_module
from multitrain.engine.checkpointing.finished import FILES, FOLDER, SEAL
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from tests.engine.process_group import in_processes
from tests.engine.stopping import Killed, stopped_at
from tests.holder import holding

CPU = torch.device("cpu")
TAKEN = "this very training was finished before; its files are taken"


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture
def steps(monkeypatch) -> list[int]:
    """The steps that are taken."""
    taken, step = [], Training.step
    monkeypatch.setattr(Training, "step", lambda self, *its: (taken.append(self.done), step(self, *its))[1])
    return taken


def test_deleted_files_of_the_same_training_are_linked_again_and_of_another_are_not(job, steps, capsys, monkeypatch):
    run = job("k400_baseline")
    train(run, CPU)
    before, count = contents(run.folder), len(steps)
    for name in FILES:
        (run.folder / name).unlink()
    train(run, CPU)
    assert contents(run.folder) == before and len(steps) == count
    assert f"{TAKEN}: to train it anew, remove {run.folder / FOLDER} first" in capsys.readouterr().err
    train(job("k400_baseline", lr=5e-4), CPU)  # other settings
    assert len(steps) == 2 * count and contents(run.folder)["model.pt"] != before["model.pt"]
    train(run, CPU)
    monkeypatch.setattr(job_module, "code_hash", lambda: "another")  # a loss was edited
    train(run, CPU)
    assert len(steps) == 4 * count and TAKEN not in capsys.readouterr().err
    assert json.loads(contents(run.folder)["run.json"])["code"] == "another"


@pytest.mark.parametrize("name", [*FILES, SEAL])
def test_changed_files_are_not_taken(job, steps, capsys, name):
    run = job("k400_baseline")
    train(run, CPU)
    before, count = contents(run.folder), len(steps)
    with (run.folder / FOLDER / name).open("r+b") as stream:
        stream.write(b"damage")
    train(run, CPU)
    said = capsys.readouterr().err
    assert f"{FOLDER}/{name}: " in said and "training anew" in said and len(steps) == 2 * count
    assert contents(run.folder)["model.pt"] == before["model.pt"]


def test_at_no_moment_of_the_end_are_resume_point_and_finished_model_both_absent(job, monkeypatch):
    """Checked before and after each change of a folder; the files appear all at once."""
    run, seen = job("k400_baseline"), []

    def look() -> None:
        if (run.folder / FOLDER / "history.jsonl").exists():
            there = (run.folder / "resume" / "checkpoint.pt").exists(), (run.folder / FOLDER / SEAL).exists()
            shown = all((run.folder / name).exists() for name in FILES)
            seen.append((*there, shown))
            assert there[0] or (there[1] and shown)

    for place, name in ((os, "replace"), (os, "link"), (os, "unlink"), (shutil, "rmtree")):
        change = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given, _f=change, **how: (look(), _f(*given, **how), look())[1])
    train(run, CPU, checkpoint_seconds=0)
    assert {(True, False, False), (True, True, False), (True, True, True), (False, True, True)} == set(seen)


@pytest.mark.parametrize("moment", ["save", "link"])
def test_killed_at_its_end_it_ends_with_the_same_bytes(job, tmp_path, monkeypatch, moment):
    run, other = job("k400_baseline"), job("k400_baseline", results=tmp_path / "other")
    train(other, CPU)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "save_network" if moment == "save" else "link_finished", die)
        train(run, CPU, checkpoint_seconds=0)
    assert (run.folder / "resume").exists() and not (run.folder / "model.pt").exists()
    train(run, CPU)
    assert (run.folder / "model.pt").read_bytes() == (other.folder / "model.pt").read_bytes()
    assert (run.folder / "history.jsonl").read_bytes() == (other.folder / "history.jsonl").read_bytes()
    assert not (run.folder / "resume").exists()


def test_without_hard_links_files_are_copied(job, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    run = job("k400_baseline")
    train(run, CPU)
    assert contents(run.folder) == contents(run.folder / FOLDER)
    assert not list(run.folder.glob(".partial-*"))


@pytest.mark.parametrize("what", ["", "resume"], ids=["folder", "resume"])
def test_a_folder_removed_while_it_trains_ends_it_with_a_line(job, monkeypatch, what):
    run, step = job("k400_baseline"), Training.step

    def step_and_remove(self, batches, *recorded):
        if self.done == 2:
            shutil.rmtree(run.folder / what)
        return step(self, batches, *recorded)

    monkeypatch.setattr(Training, "step", step_and_remove)
    with pytest.raises(FolderRemoved, match=r"was removed while .*: stopped; start it again"):
        train(run, CPU, checkpoint_seconds=0)
    assert not (run.folder / "model.pt").exists() and not (run.folder / what).exists()  # nor is it made again


def test_a_history_lost_between_two_starts_is_a_warning(job, monkeypatch, capsys):
    run = job("k400_baseline")
    with stopped_at(monkeypatch, 3, Killed, keep=True):
        train(run, CPU, checkpoint_seconds=0)
    (run.folder / "resume" / "history.jsonl").unlink()
    train(run, CPU)
    assert "history.jsonl: 3 of the 3 lines of the steps before 3 are missing" in capsys.readouterr().err


def test_a_second_training_is_refused_and_leaves_the_first_ones_status_alone(job):
    run = job("k400_baseline")
    with holding(run.folder, "run k400_baseline seed 0 is being trained"):
        with pytest.raises(UserError, match="k400_baseline/seed0: run k400_baseline seed 0 is being trained there by"):
            train(run, CPU)
        assert not (run.folder / "status.json").exists()


def _refused(group, job) -> str:
    with pytest.raises(UserError) as caught:
        train(job, CPU)
    return str(caught.value)


@pytest.mark.slow
def test_all_of_several_processes_get_the_error_of_the_lock(job, tmp_path):
    run = job("k400_baseline")
    with holding(run.folder, "it is being trained"):
        first, second = in_processes(2, tmp_path / "processes", _refused, run)
    assert first == second and "it is being trained there by process" in first
