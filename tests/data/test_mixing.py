"""Mixup and cutmix of a batch with its reverse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.config.recipes import Mixing
from multitrain.data.loader import Share
from multitrain.data.mixing import Mix, draw_mix, mix_videos

SIZE = 24
MIXUP, CUTMIX = Mixing(mixup=1.0, cutmix=0.0), Mixing(mixup=0.0, cutmix=1.0)


def videos(count: int) -> torch.Tensor:
    """(B, 3, 2, S, S) in float64."""
    return torch.from_numpy(np.random.default_rng(count).normal(size=(count, 3, 2, SIZE, SIZE)))


def test_nothing_is_drawn_where_nothing_is_mixed():
    assert draw_mix(None, 0, 0, SIZE) is None
    assert draw_mix(Mixing(probability=0.0), 0, 0, SIZE) is None


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_mix_depends_on_seed_and_step_alone(seed, step):
    mix = draw_mix(Mixing(), seed, step, SIZE)
    assert mix == draw_mix(Mixing(), seed, step, SIZE)
    assert mix != draw_mix(Mixing(), seed, step + 1, SIZE) and mix != draw_mix(Mixing(), seed + 1, step, SIZE)


@settings(max_examples=30)
@given(st.floats(0, 1), st.integers(2, 6))
def test_mixup_is_the_weighted_sum_with_the_reverse(lam, count):
    clips = videos(count)
    mixed = mix_videos(clips, Mix(lam))
    for i in range(count):
        assert torch.allclose(mixed[i], lam * clips[i] + (1 - lam) * clips[count - 1 - i], atol=1e-12)
    assert torch.equal(clips, videos(count))


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_cutmix_shows_the_partner_in_one_box_and_lambda_is_the_area_left(step, count):
    mix = draw_mix(CUTMIX, 0, step, SIZE)
    top, left, height, width = mix.box
    assert 0 <= top <= top + height <= SIZE and 0 <= left <= left + width <= SIZE
    clips = videos(count)
    mixed = mix_videos(clips, mix)
    own, other = mixed == clips, mixed == clips.flip(0)
    assert (own | other).all() and torch.equal(clips, videos(count))
    if count % 2 == 0:  # no clip is its own partner
        assert own.double().mean((1, 2, 3, 4)).tolist() == pytest.approx([mix.lam] * count, abs=1e-9)
        assert torch.equal(own, own[:1, :1, :1].expand_as(own))


@pytest.mark.parametrize("mix", [Mix(1.0), Mix(1.0, (3, 4, 0, 7)), Mix(1.0, (0, 0, 0, 0))])
def test_lambda_1_changes_nothing(mix):
    assert torch.equal(mix_videos(videos(4), mix), videos(4))


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1000))
def test_mixing_each_chunk_equals_mixing_the_whole_batch(processes, parts, half, repeats, step):
    batch = 2 * half * processes * parts
    clips = videos(batch * repeats)
    mix = draw_mix(Mixing(), 0, step, SIZE)
    whole = mix_videos(clips, mix)
    for process in range(processes):
        for part in range(parts):
            positions = Share(process, processes, parts).positions(batch, part)
            rows = (positions[:, None] * repeats + np.arange(repeats)).reshape(-1)
            assert torch.equal(mix_videos(clips[rows], mix), whole[rows])


def test_lambda_of_alpha_1_is_uniform_and_both_kinds_have_their_share():
    shares = np.sort([draw_mix(MIXUP, 0, step, SIZE).lam for step in range(2000)])
    assert np.abs(shares - (np.arange(2000) + 0.5) / 2000).max() < 0.04  # Kolmogorov and Smirnov, far beyond 0.1%
    steep = np.array([draw_mix(Mixing(mixup=0.2, cutmix=0.0), 0, step, SIZE).lam for step in range(1000)])
    assert steep.mean() == pytest.approx(0.5, abs=0.05) and steep.var() == pytest.approx(1 / (4 * 1.4), abs=0.02)
    chosen = Mixing(switch_probability=0.3, probability=0.8)
    kinds = [draw_mix(chosen, 0, step, SIZE) for step in range(3000)]
    assert sum(mix is None for mix in kinds) / 3000 == pytest.approx(0.2, abs=0.03)
    assert sum(mix is not None and mix.box is not None for mix in kinds) / 3000 == pytest.approx(0.24, abs=0.03)


def test_a_box_is_square_where_the_frame_does_not_cut_it():
    found = [draw_mix(CUTMIX, 0, step, SIZE).box for step in range(400)]
    whole = [(h, w) for top, left, h, w in found if min(top, left) > 0 and max(top + h, left + w) < SIZE]
    assert len(whole) > 40 and all(height == width for height, width in whole)
    assert any(height != width for _, _, height, width in found)
