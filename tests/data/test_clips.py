"""The one dataset class on prepared clips: what an item is depends on (seed, epoch, index) and nothing else."""

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from multitrain.config import Sampling, Views
from multitrain.data.clips import Source, TrainClips, ViewClips
from multitrain.data.loader import train_batches, view_batches
from multitrain.errors import UserError


@pytest.fixture
def sources(job):
    return [job("joint").source(name, "train") for name in ("k400", "mit")]


@pytest.fixture
def clips(job, sources):
    run = job("joint")
    return TrainClips(sources, run.scale.model.frames, run.size, run.recipe, seed=0)


def test_an_item_is_the_same_each_time_and_another_in_another_epoch_or_seed(job, sources, clips):
    assert torch.equal(clips[0, 3].video, clips[0, 3].video)
    assert not torch.equal(clips[0, 3].video, clips[1, 3].video)
    other = TrainClips(sources, clips.frames, clips.size, clips.recipe, seed=1)
    assert not torch.equal(clips[0, 3].video, other[0, 3].video)
    assert clips[0, 3].clip_id == clips[1, 3].clip_id == other[0, 3].clip_id


def test_the_index_runs_over_all_datasets_in_order(sources, clips):
    assert len(clips) == sum(map(len, sources))
    for index in (0, len(sources[0]) - 1, len(sources[0]), len(clips) - 1):
        which, row = clips.locate(index)
        sample = clips[0, index]
        assert sample.dataset == which == int(index >= len(sources[0]))
        assert sample.clip_id == sources[which].value("clip_id", row)
        assert sample.label == sources[which].value("label", row)
        assert sample.video.shape == (3, 4, 32, 32) and sample.video.dtype == torch.uint8


def test_worker_processes_change_nothing(clips):
    alone, helped = (list(train_batches(clips, 8, 1, 5, workers)) for workers in (0, 2))
    assert len(alone) == 4
    for one, other in zip(alone, helped, strict=True):
        assert one.clip_ids == other.clip_ids
        assert torch.equal(one.video, other.video)
        assert torch.equal(one.label, other.label) and torch.equal(one.dataset, other.dataset)


def test_a_pickled_source_maps_one_file_of_its_columns(sources):
    """What a worker process that is not forked gets."""
    source = sources[0]
    first, second = pickle.dumps(source), pickle.dumps(source)
    assert first == second and len(first) < 4000
    copies = [pickle.loads(first), pickle.loads(second)]
    again = pickle.loads(pickle.dumps(copies[0]))
    held = source.columns.to_pylist()
    file = Path(source._mapped.name)
    del source._mapped
    assert not file.exists()
    for copy in (*copies, again):
        assert copy.columns.to_pylist() == held and len(copy) == len(source)
        assert (copy.folder, copy.classes, copy.settings) == (source.folder, source.classes, source.settings)
    before = pa.total_allocated_bytes()
    kept = pickle.loads(pickle.dumps(again))
    assert pa.total_allocated_bytes() == before and len(kept) == len(again)  # mapped, not copied


def test_no_room_for_the_columns_is_told(sources, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa.ipc, "new_file", full)
    with pytest.raises(UserError, match=r"the list of clips cannot be written \(.*No space left.*\): make room"):
        pickle.dumps(sources[0])


def test_batches_of_later_steps_do_not_depend_on_where_the_run_started(clips):
    whole, resumed = list(train_batches(clips, 8, 0, 6)), list(train_batches(clips, 8, 4, 6))
    assert [batch.clip_ids for batch in resumed] == [batch.clip_ids for batch in whole[4:]]
    assert torch.equal(resumed[1].video, whole[5].video)


def test_view_batches_keep_the_views_of_a_clip_together(job):
    run = job("joint")
    source = run.source("mit", "test")  # three spatial views at this scale
    batches = list(view_batches(ViewClips([source], run.scale.model.frames, run.size), 5))
    assert [len(batch.clip_ids) for batch in batches] == [5, 5, 2]
    assert batches[0].video.shape == (15, 3, 4, 32, 32)
    assert [clip for batch in batches for clip in batch.clip_ids] == source.columns["clip_id"].to_pylist()


class Recorded(Source):
    """A source that tells which frames were asked for instead of reading them."""

    def __init__(self, source, settings):
        self.__dict__.update(source.__dict__)
        self.settings, self.asked = settings, []

    def read(self, row, indices):
        self.asked.append(indices)
        ramp = torch.arange(40, dtype=torch.uint8).expand(len(indices), 3, 40, 40)
        return ramp.contiguous()


def test_a_dataset_without_flip_is_never_mirrored_and_samples_by_segments(job, sources):
    run = job("joint")
    still = sources[0].settings.model_copy(update={"flip": False, "sampling": Sampling(kind="segment")})
    mirrored = []
    for settings in (still, still.model_copy(update={"flip": True})):
        source = Recorded(sources[0], settings)
        clips = TrainClips([source], 8, 32, run.recipe, seed=0)
        videos = [clips[0, index].video for index in range(30)]
        mirrored.append(sum(bool(video[0, 0, 0, 0] > video[0, 0, 0, -1]) for video in videos))
        for index, asked in enumerate(source.asked):
            length = source.value("frames", index)
            assert all(a <= b for a, b in pairwise(asked))
            assert (np.floor(asked * 8 / length) >= np.arange(8) - 1).all()
    assert mirrored[0] == 0 < mirrored[1] < 30


def test_dense_views_ask_for_frames_on_the_grid(job, sources):
    settings = sources[0].settings.model_copy(update={"views": Views(temporal=2)})
    source = Recorded(sources[0], settings)
    clips = ViewClips([source], 4, 32)
    assert clips[0].video.shape == (2, 3, 4, 32, 32)
    first, last = source.asked
    assert first[0] == 0 < last[0]
    assert not (np.concatenate([first, last]) % 3).any()
    assert last[-1] > source.value("frames", 0) - 1 - 2 * 3
