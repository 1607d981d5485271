"""The mixing sampler: every clip once an epoch, seeded to the sample, resumable anywhere."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.data.loader import MixingSampler
from multitrain.errors import UserError


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


@given(st.integers(0, 40))
def test_a_restart_continues_with_the_very_next_batch(first):
    whole = list(MixingSampler(50, 7, 3, 0, 41))
    assert list(MixingSampler(50, 7, 3, first, 41)) == whole[first:]


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
