"""The head that is fitted to features: it is the minimum, whatever the scale of the features."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multitrain.engine.checkpointing.checkpoint import ResumePoint
from multitrain.inference.finetune import linear_probe
from multitrain.model.heads import make_head


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_fit_is_a_minimum_and_reads_features_as_they_are(hidden):
    torch.manual_seed(0)
    z, labels = torch.randn(30, 2, 6) * torch.tensor([1, 2, 5, 9, 0.1, 3]) + 4, torch.arange(30) % 3
    z[labels == 1] += 1
    head = make_head(6, 3, hidden, 0.5)
    history = linear_probe.fit(head, z, labels, 1e-2, 300)
    assert history[-1]["total"] < history[0]["total"] and [line["step"] for line in history] == list(
        range(len(history))
    )
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
    flat, deviation = z.flatten(0, 1), z.flatten(0, 1).std(0, correction=0)
    weight, bias = (first.weight * deviation).detach(), (first.bias + first.weight @ flat.mean(0)).detach()
    first.weight.data, first.bias.data = weight, bias
    scaled = (flat - flat.mean(0)) / deviation
    squares = sum(w.square().sum() for w in head.parameters() if w.ndim > 1)
    total = F.cross_entropy(head(scaled), labels.repeat_interleave(2)) + 0.5e-2 * squares
    assert total.item() == pytest.approx(history[-1]["total"], abs=1e-4)
    gradients = torch.autograd.grad(total, list(head.parameters()))
    assert max(float(g.abs().max()) for g in gradients) < 1e-2


def test_noise_is_decayed_and_signal_is_not():
    torch.manual_seed(0)
    labels = torch.arange(48) % 4
    noise = torch.randn(48, 1, 20)
    clear = noise + 6 * F.one_hot(labels, 20)[:, None]

    def fresh():
        torch.manual_seed(1)
        return nn.Linear(20, 4)

    assert linear_probe.choose_decay(noise, labels, fresh) == max(linear_probe.DECAYS)
    assert linear_probe.choose_decay(clear, labels, fresh) == min(linear_probe.DECAYS)


@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1), (1, 5), (2, 2), (1, 2, 9)])
def test_a_class_with_one_clip_is_in_every_fit(counts, monkeypatch):
    """One-shot: nothing else tells of that class, and where all are such there is nothing to choose by."""
    torch.manual_seed(0)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    z, fit, seen = torch.randn(len(labels), 2, 5), linear_probe.fit, []

    def noted(head, z, labels, *how):
        seen.append(set(labels.tolist()))
        return fit(head, z, labels, *how)

    monkeypatch.setattr(linear_probe, "fit", noted)
    decay = linear_probe.choose_decay(z, labels, lambda: nn.Linear(5, len(counts)))
    assert decay in linear_probe.DECAYS and all(classes == set(range(len(counts))) for classes in seen)
    if max(counts) == 1:
        assert not seen and decay == max(linear_probe.DECAYS)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ({"fingerprint": "other", "z": torch.zeros(4, 2, 3)}, "made with other code, settings or clips"),
        ({"fingerprint": "this"}, "z holds no features of shape (5, 2, 3)"),
        ({"fingerprint": "this", "z": 4}, "z holds no features of shape (5, 2, 3)"),
        ({"fingerprint": "this", "z": torch.zeros(4, 2, 9)}, "z holds no features of shape (5, 2, 3)"),
        ({"fingerprint": "this", "z": torch.zeros(4, 2, 3).half()}, "z holds no features of shape (5, 2, 3)"),
        ({"fingerprint": "this", "z": torch.zeros(6, 2, 3)}, "z holds features of 6 clips"),
        ({"fingerprint": "this", "z": torch.zeros(0, 2, 3)}, "z holds features of 0 clips"),
        ({"fingerprint": "this", "z": torch.full((4, 2, 3), torch.nan)}, "numbers that are not finite"),
    ],
)
def test_wrong_features_give_way_to_those_before(state, line, tmp_path, capsys):
    resume = ResumePoint(tmp_path / "features.pt", 0)
    resume.save(fingerprint="this", z=torch.ones(3, 2, 3))
    resume.save(**state)
    (kept,) = linear_probe._resumed(resume, "this", (5, 2, 3))
    assert torch.equal(kept, torch.ones(3, 2, 3))
    said = capsys.readouterr().err
    assert line in said and said.endswith(": the one before it is tried\n")
    resume.previous.unlink()
    assert linear_probe._resumed(resume, "this", (5, 2, 3)) == []
    assert capsys.readouterr().err.endswith(": no other one is left: starting anew\n")
