"""The loader's worker processes: they change no batch, and one that fails, dies or hangs is an error of one line."""

import multiprocessing
import os
import signal

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.data import loader
from multitrain.data.clips import Source, TrainClips
from multitrain.data.loader import train_batches


class Started:
    """The child processes that a test has started, without those that other tests keep."""

    def __init__(self):
        self._before = set(multiprocessing.active_children())

    def running(self) -> list[multiprocessing.process.BaseProcess]:
        return [process for process in multiprocessing.active_children() if process not in self._before]

    def left(self) -> list[multiprocessing.process.BaseProcess]:
        """Those that do not end within ten minutes: a killed one may take long on a busy machine."""
        for process in self.running():
            process.join(600)
        return self.running()


@pytest.fixture
def started() -> Started:
    return Started()


def test_worker_processes_change_nothing(clips):
    alone, helped = (list(train_batches(clips, 8, 1, 5, workers)) for workers in (0, 2))
    assert len(alone) == 4
    for one, other in zip(alone, helped, strict=True):
        assert one.clip_ids == other.clip_ids
        assert torch.equal(one.video, other.video)
        assert torch.equal(one.label, other.label) and torch.equal(one.dataset, other.dataset)


class Failing(Source):
    """A source that fails in one way at every read."""

    def __init__(self, source, how):
        self.__dict__.update(source.__dict__)
        self.how = how

    def read(self, row, indices):
        if self.how == "damaged":
            raise UserError("clip.mp4: no readable clip: prepare the dataset again")
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "left":
            os._exit(3)
        while True:
            signal.pause()


@pytest.mark.parametrize(
    ("how", "workers", "message"),
    [
        ("damaged", 0, r"clip\.mp4: no readable clip: prepare the dataset again"),
        ("damaged", 1, r"clip\.mp4: no readable clip: prepare the dataset again"),
        ("killed", 1, r"a process that decodes clips ahead died or hangs \(.*(killed by signal|exited unexpectedly).*"),
        ("left", 1, r"a process that decodes clips ahead died or hangs \(.*(exit code 3|exited unexpectedly).*"),
        ("hangs", 1, r"a process that decodes clips ahead died or hangs \(.*timed out after 0\.1 seconds.*"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_clip_or_worker_that_fails_dies_or_hangs_is_one_line(
    started, sources, clips, how, workers, message, monkeypatch
):
    if how == "hangs":  # it never answers, so any limit ends it; the others have unlimited time
        monkeypatch.setattr(loader, "TIMEOUT", 0.1)
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.1)  # wait for a worker that is ending
    failing = TrainClips([Failing(sources[0], how)], clips.frames, clips.size, clips.recipe, seed=0)
    with pytest.raises(UserError, match=f"^{message}$"):
        next(train_batches(failing, 4, 0, 3, workers))
    assert not started.left()


def test_signals_of_a_scheduler_do_not_disturb_processes_that_decode(started, clips):
    alone, batches = list(train_batches(clips, 4, 0, 9)), train_batches(clips, 4, 0, 9, workers=2)
    found = [next(batches), next(batches)]  # one of each process: both have begun
    for worker in started.running():
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGUSR1)
        os.kill(worker.pid, signal.SIGINT)
    found += batches
    assert [batch.clip_ids for batch in found] == [batch.clip_ids for batch in alone]


def test_processes_that_decode_end_with_the_batches_that_are_left(started, clips):
    batches = train_batches(clips, 4, 0, 1000, workers=2)
    next(batches)
    assert len(started.running()) == 2
    batches.close()
    assert not started.left()
