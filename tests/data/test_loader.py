"""The mixing sampler: every clip once an epoch, by seed and step, resumable, shared by processes and micro-batches."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.data.loader import MixingSampler, Share


@settings(max_examples=50)
@given(st.integers(2, 60), st.integers(2, 9), st.integers(0, 99))
def test_an_epoch_shows_each_clip_at_most_once_and_all_but_a_remainder(clips, batch, seed):
    if clips < batch:
        return
    steps = clips // batch
    shown = [item for chosen in MixingSampler(clips, batch, seed, 0, 2 * steps) for item in chosen]
    for epoch in (0, 1):
        seen = Counter(index for e, index in shown if e == epoch)
        assert set(seen.values()) == {1}
        assert len(seen) == steps * batch > clips - batch
        assert set(seen) <= set(range(clips))


def test_epochs_and_seeds_differ_and_datasets_mix():
    def order(seed, epoch):
        return [index for chosen in islice(MixingSampler(100, 10, seed, epoch * 10, 1000), 10) for _, index in chosen]

    assert order(0, 0) != order(0, 1) != order(1, 1)
    assert sorted(order(0, 0)) == list(range(100))
    halves = [sum(index < 50 for _, index in chosen) for chosen in MixingSampler(100, 10, 0, 0, 10)]
    assert all(0 < count < 10 for count in halves)  # two datasets of 50 clips: no batch is of one alone


def test_fewer_clips_than_a_batch_are_refused():
    with pytest.raises(UserError, match="fewer than one batch of 16"):
        MixingSampler(15, 16, 0, 0, 1)


shapes = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))  # processes, parts, half of a chunk


@given(shapes)
def test_the_chunks_are_the_batch_each_closed_under_its_reversal(shape):
    processes, parts, half = shape
    batch = 2 * half * processes * parts
    chunks = {
        (part, process): Share(process, processes, parts).positions(batch, part)
        for part in range(parts)
        for process in range(processes)
    }
    assert sorted(np.concatenate(list(chunks.values())).tolist()) == list(range(batch))
    for positions in chunks.values():
        assert len(positions) == 2 * half
        assert (positions[::-1] == batch - 1 - positions).all()
    # Any two ways to share a batch of n chunks have the same ones: c = part * processes + process.
    for (part, process), positions in chunks.items():
        alone = Share(parts=processes * parts).positions(batch, part * processes + process)
        assert (positions == alone).all()


@given(shapes, st.integers(0, 5), st.integers(0, 5))
def test_processes_and_parts_together_show_the_steps_of_one(shape, first, seed):
    processes, parts, half = shape
    batch = 2 * half * processes * parts
    clips, last = 3 * batch + 1, first + 4  # over the end of an epoch
    whole = list(MixingSampler(clips, batch, seed, first, last))
    shown = [[None] * batch for _ in whole]
    for process in range(processes):
        share = Share(process, processes, parts)
        sampler = MixingSampler(clips, batch, seed, first, last, share)
        found = list(sampler)
        assert len(found) == len(sampler) == 4 * parts
        for i, chosen in enumerate(found):
            for position, item in zip(share.positions(batch, i % parts), chosen, strict=True):
                shown[i // parts][position] = item
        assert list(MixingSampler(clips, batch, seed, first + 2, last, share)) == found[2 * parts :]  # resumed
    assert shown == whole


@given(st.integers(2, 40))
def test_one_chunk_is_the_batch_in_its_order_even_or_odd(batch):
    assert Share().positions(batch, 0).tolist() == list(range(batch))


@pytest.mark.parametrize(
    ("batch", "share"), [(6, Share(0, 2)), (10, Share(parts=2)), (2, Share(0, 2)), (0, Share(1, 2))]
)
def test_a_batch_that_cannot_be_shared_evenly_is_refused(batch, share):
    with pytest.raises(UserError, match=f"a batch of {batch} videos .* set the recipe's batch to a multiple of 4"):
        share.positions(batch, 0)
