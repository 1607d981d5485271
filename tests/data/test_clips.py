"""The PyTorch datasets of prepared clips: a training item depends on (seed, epoch, index) alone."""

import gc
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.common.seeding import generator
from multitrain.config.recipes import RandAugment
from multitrain.config.scale import Sampling, Views
from multitrain.data import clips as clips_module
from multitrain.data.clips import Source, TrainClips, ViewClips
from multitrain.data.decode import read_frames
from multitrain.data.loader import Share, train_batches, view_batches
from multitrain.data.sampling import dense, random_start
from multitrain.data.transforms import as_frames, augment, random_box, resize


def test_an_item_is_the_same_each_time_and_another_in_another_epoch_or_seed(job, sources, clips):
    assert torch.equal(clips[0, 3][0].video, clips[0, 3][0].video)
    assert not torch.equal(clips[0, 3][0].video, clips[1, 3][0].video)
    other = TrainClips(sources, clips.frames, clips.size, clips.recipe, seed=1)
    assert not torch.equal(clips[0, 3][0].video, other[0, 3][0].video)
    assert clips[0, 3][0].clip_id == clips[1, 3][0].clip_id == other[0, 3][0].clip_id


def test_the_index_runs_over_all_datasets_in_order(sources, clips):
    assert len(clips) == sum(map(len, sources))
    for index in (0, len(sources[0]) - 1, len(sources[0]), len(clips) - 1):
        which, row = clips.locate(index)
        (sample,) = clips[0, index]
        assert sample.dataset == which == int(index >= len(sources[0]))
        assert sample.clip_id == sources[which].value("clip_id", row)
        assert sample.label == sources[which].value("label", row)
        assert sample.video.shape == (3, 4, 32, 32) and sample.video.dtype == torch.uint8


def test_a_pickled_source_maps_one_file_of_its_columns(sources):
    """As a worker process that is spawned, not forked, gets it."""
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
    gc.collect()  # memory of earlier tests, freed in between, would hide a copy
    before = pa.total_allocated_bytes()
    kept = pickle.loads(pickle.dumps(again))
    assert pa.total_allocated_bytes() <= before and len(kept) == len(again)  # mapped, not copied


def test_no_room_for_the_columns_is_a_user_error(sources, monkeypatch):
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
    """A source that records the frame indices that are read, and gives a ramp for frames."""

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
        videos = [clips[0, index][0].video for index in range(30)]
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


def test_a_plain_clip_is_sampled_cropped_and_flipped_in_this_order_of_draws(clips):
    """A recipe without RandAugment, erasing and repeats: its clips must stay the same from version to version."""
    for index in range(6):
        which, row = clips.locate(index)
        source, rng = clips.sources[which], generator(0, "clip", 2, index)
        length, grid, stride = source.value("frames", row), source.settings.grid, source.settings.sampling.stride
        frames = source.read(row, dense(length, 4, stride, random_start(length, 4, stride, rng, grid), grid))
        recipe = clips.recipe
        top, left, height, width = random_box(*frames.shape[-2:], recipe.crop_area, recipe.crop_aspect, rng)
        frames = resize(frames[..., top : top + height, left : left + width], 32, 32)
        frames = frames.flip(-1) if source.settings.flip and rng.random() < 0.5 else frames
        (sample,) = clips[2, index]
        assert torch.equal(sample.video, frames.transpose(0, 1))


def repeated(clips, repeats, **changes):
    recipe = clips.recipe.model_copy(update={"repeats": repeats, **changes})
    return TrainClips(clips.sources, clips.frames, clips.size, recipe, clips.seed)


def test_repeats_are_the_same_frames_decoded_once_each_augmented_for_itself(clips, monkeypatch):
    asked = []

    def spy(path, indices, *rest):
        asked.append((path, indices))
        return read_frames(path, indices, *rest)

    monkeypatch.setattr(clips_module, "read_frames", spy)
    everything = {"randaugment": RandAugment(), "erasing": 0.5}
    for changes in ({}, everything):
        several = repeated(clips, 3, **changes)
        (alone,) = repeated(clips, 1, **changes)[1, 5]
        asked.clear()
        found = several[1, 5]
        assert len(asked) == 1 and len(found) == 3
        assert torch.equal(found[0].video, alone.video)
        assert len({(one.label, one.dataset, one.clip_id) for one in (alone, *found)}) == 1
        source = several.sources[found[0].dataset]
        for repeat in (1, 2):
            frames = as_frames(read_frames(*asked[0], source.value("fps", 0), source.settings.grid))
            rng = generator(0, "clip", 1, 5, repeat)
            expected = augment(frames, clips.size, several.recipe, source.settings.flip, rng)
            assert torch.equal(found[repeat].video, expected.transpose(0, 1))
            assert not torch.equal(found[repeat].video, found[repeat - 1].video)


@pytest.mark.parametrize("workers", [0, 2])
def test_shares_with_repeats_are_the_rows_of_the_whole_batch(clips, workers):
    clips = repeated(clips, 2, erasing=0.5)
    whole = list(train_batches(clips, 8, 2, 4))
    assert [batch.rows.tolist() for batch in whole] == [list(range(16))] * 2
    for ids in (batch.clip_ids for batch in whole):
        assert ids[::2] == ids[1::2] and len(set(ids)) == 8  # a video's clips follow each other
    for process in range(2):
        share = Share(process, 2, 2)
        found = list(train_batches(clips, 8, 2, 4, workers, share))
        assert len(found) == 4
        for i, batch in enumerate(found):
            same = whole[i // 2]
            assert len(batch.rows) == 4 and batch.rows.dtype == torch.int64
            assert torch.equal(batch.rows.flip(0), 15 - batch.rows)
            assert batch.clip_ids == tuple(same.clip_ids[row] for row in batch.rows)
            for name in ("video", "label", "dataset"):
                assert torch.equal(getattr(batch, name), getattr(same, name)[batch.rows])


def test_a_batch_moves_and_is_pinned_without_its_labels(clips, monkeypatch):
    (batch,) = train_batches(clips, 8, 0, 1)
    moved = batch.to(torch.device("meta"))
    where = {name: getattr(moved, name).device.type for name in ("video", "rows", "label", "dataset")}
    assert where == {"video": "meta", "rows": "meta", "label": "cpu", "dataset": "cpu"}
    assert moved.clip_ids == batch.clip_ids
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    again = torch.utils.data._utils.pin_memory.pin_memory(batch)  # what the loader does with a batch
    assert len(pinned) == 2 and torch.equal(again.rows, batch.rows) and again.clip_ids == batch.clip_ids


@pytest.mark.parametrize(("megabytes", "kept"), [(0, "none"), (1, "some"), (1000, "all")])
def test_frames_kept_in_memory_change_nothing(clips, megabytes, kept, monkeypatch):
    keeping = TrainClips(clips.sources, clips.frames, clips.size, clips.recipe, clips.seed, megabytes)
    some = range(0, len(clips), 2)
    for epoch in range(2):
        for index in some:
            (plain,), (again,) = clips[epoch, index], keeping[epoch, index]
            assert torch.equal(plain.video, again.video)
    decoded = []
    monkeypatch.setattr(clips_module, "read_frames", lambda *asked: decoded.append(asked) or read_frames(*asked))
    for index in some:
        keeping[2, index]
    found = {0: "all", len(some): "none"}.get(len(decoded), "some")
    assert found == kept
