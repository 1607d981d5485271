"""The benchmark of training steps at a tiny size, and its arithmetic."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dev.bench import memory, step
from dev.bench.learner import Learner
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Model

TINY = Model(frames=4, channels=8, depths=(1, 2), kv_stride=2, head_hidden=0, head_dropout=0.0)


@pytest.fixture
def setting():
    mini = load_scale("mini")
    return step.Setting(mini.model_copy(update={"model": TINY, "sizes": {"base": 16, "large": 32}}), "base", 4, 2)


def test_each_of_two_goes_first_in_every_other_round_and_the_first_round_warms_up():
    calls = []
    pairs = step.in_turn(lambda: calls.append("a"), lambda: calls.append("b"), 3)
    assert len(pairs) == 3
    assert "".join(calls) == "baabbaab"


def test_a_ratio_is_the_median_of_the_rounds():
    assert step.ratio([(1, 2), (2, 2), (1, 6)]) == "2.000 (min 1.000, max 6.000 over 3 rounds)"


def test_lines_of_times(setting):
    plain, vanilla = step.against_plain(setting), step.against_vanilla(setting)
    assert plain[0].startswith("mini base (8 channels, 3 blocks, 4 frames of 16, batch 4, 1 thread)")
    assert plain[2].endswith("goal at least 1.5") and vanilla[1].endswith("goal at most 1.03")


def test_operations_are_three_times_the_forward_pass_without_a_gradient_of_pixels(setting):
    plain, clips = memory.build("plain", TINY, 16), torch.randn(4, 3, 4, 16, 16)
    with FlopCounterMode(display=False) as whole:
        plain(clips)
    with FlopCounterMode(display=False) as patch:
        plain.backbone.patch(clips)
    expected = 3 * whole.get_total_flops() - patch.get_total_flops()
    assert step.operations(setting) == pytest.approx(expected, rel=1e-9)


def test_a_share_is_of_operations_a_second(setting, monkeypatch):
    done, most = step.operations(setting), 2 * step.PRODUCTS * step.SIDE**3
    monkeypatch.setattr(step, "in_turn", lambda *_: [(1.0, 2.0), (2.0, 1.0), (4.0, 4.0)])
    lines = step.share_of_peak(setting)
    assert lines[2].startswith(f"  share of the peak: {done / most:.3f} (min {done / most / 2:.3f}, max")
    assert lines[1] == f"  step 2000.0 ms, {done / 1e9:.2f} GFLOP; product {most / 2e9:.1f} GFLOP/s"


def test_lines_of_memory_divide_by_the_plain_one(setting):
    planted = {"ours": (100, 150), "ours, checkpointing": (100, 130), "plain": (100, 200)}
    lines = step.memory(setting, lambda variant, *_: memory.Peak(*planted[variant]))
    assert lines[1:] == [
        "  ours: 50 above 100, 150 whole; 0.50 and 0.75 of the plain one's, goal at most 0.75",
        "  ours, checkpointing: 30 above 100, 130 whole; 0.30 and 0.65 of the plain one's, goal at most 0.4",
        "  plain: 100 above 100, 200 whole",
    ]


@pytest.mark.slow
@pytest.mark.skipif(not memory.STATUS.exists(), reason="this system does not tell a process's most memory")
def test_a_process_of_its_own_is_measured_and_another_ones_memory_is_not():
    ballast = torch.ones(60_000_000)  # 240 MB of this process
    found = memory.peak_in_own_process("plain", TINY, 16, 2)
    assert 0 < found.idle <= found.whole
    assert found.whole < memory.high_water() - ballast.nbytes / 2e6


def test_variants_share_their_numbers():
    clips = torch.randn(2, 3, 4, 16, 16)
    outputs = []
    for variant in memory.VARIANTS:
        torch.manual_seed(0)
        model = memory.build(variant, TINY, 16)
        outputs.append(model(clips))
        assert (getattr(model, "backbone", model).checkpointing) is (variant == "ours, checkpointing")
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])


def test_a_learner_takes_steps_that_lower_its_loss(setting):
    torch.manual_seed(0)
    learner = Learner(setting.scale, load_experiments().runs["multitrain"], 4)
    losses = [learner.step().total.item() for _ in range(6)]
    assert losses[-1] < losses[0]
