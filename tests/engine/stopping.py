"""A training that ends at a step."""

from contextlib import contextmanager

import pytest

from multitrain.engine.checkpointing.checkpoint import ResumePoint
from multitrain.engine.training_state import Training


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
