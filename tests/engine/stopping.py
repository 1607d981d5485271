"""Trainings that end at a step, and jobs whose run has other settings."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from multitrain.engine.checkpointing.checkpoint import ResumePoint
from multitrain.engine.setup import Job
from multitrain.engine.training_state import Training


class Killed(BaseException):
    """Stands for the end of the process."""


def with_run(job: Job, **changes: object) -> Job:
    """The job with these settings of its run changed."""
    runs = {**job.experiments.runs, job.name: job.run.model_copy(update=changes)}
    return replace(job, experiments=job.experiments.model_copy(update={"runs": runs}))


@contextmanager
def stopped_at(monkeypatch: pytest.MonkeyPatch, done: int, error: type[BaseException], keep: bool = False):
    """Within, a training raises `error` after `done` steps; with `keep`, each step has a resume point."""
    step = Training.step

    def stopped(self, batches, *recorded):
        if self.done == done:
            raise error
        return step(self, batches, *recorded)

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(Training, "step", stopped)
        if keep:
            patch.setattr(ResumePoint, "due", lambda self: True)
        yield
