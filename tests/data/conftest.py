"""Training clips of the prepared world, for all tests of this folder."""

import pytest

from multitrain.data.clips import TrainClips


@pytest.fixture
def sources(job):
    return [job("joint").source(name, "train") for name in ("k400", "mit")]


@pytest.fixture
def clips(job, sources):
    run = job("joint")
    return TrainClips(sources, run.scale.model.frames, run.size, run.recipe, seed=0)
