"""The history's lines are on the disk before the resume point of the same steps."""

import os
import signal

import pytest
import torch

from multitrain.engine.checkpointing.checkpoint import ResumePoint
from multitrain.engine.processes.preemption import Preempted
from multitrain.engine.train import train
from multitrain.engine.training_state import Training


@pytest.mark.parametrize("stopped", [False, True], ids=["due", "asked to stop"])
def test_lines_are_on_the_disk_before_the_resume_point(job, monkeypatch, stopped):
    run = job("k400_baseline")
    history, on_disk, saves = run.folder / "resume" / "history.jsonl", [0], []
    fsync, save, step = os.fsync, ResumePoint.save, Training.step

    def synced(handle):
        fsync(handle)
        if history.exists() and os.path.samestat(os.fstat(handle), history.stat()):
            on_disk.append(history.stat().st_size)

    def saved(self, **state):
        saves.append((on_disk[-1], history.stat().st_size))
        save(self, **state)

    def stepped(self, batches, *recorded):
        if stopped:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batches, *recorded)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(ResumePoint, "save", saved)
    monkeypatch.setattr(Training, "step", stepped)
    if stopped:
        with pytest.raises(Preempted):
            train(run, torch.device("cpu"), checkpoint_seconds=3600)
    else:
        train(run, torch.device("cpu"), checkpoint_seconds=0)
    assert saves
    assert all(kept == size > 0 for kept, size in saves)
