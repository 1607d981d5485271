"""The loss of mixed clips (mixup, cutmix): both labels, weighted by lambda and 1 - lambda, of any datasets."""

import math

import pytest
import torch

from multitrain.losses.objective import Objective, Partner, partner_of
from tests.losses.test_losses import NAMES, batch


def mixed(lam=0.3, lost=False, b=8):
    logits, z, weights, label, dataset = batch(b=b)
    return (logits, z, weights, label, dataset), partner_of(label, dataset, lam, lost)


@pytest.mark.parametrize("mode", ["add", "detached", "separate", "none"])
@pytest.mark.parametrize("weighting", ["uncertainty", "fixed"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_clips_is_that_of_both_labels(mode, weighting, smoothing):
    (logits, z, weights, label, dataset), partner = mixed()
    objective = Objective(NAMES, True, mode, weighting, label_smoothing=smoothing)
    objective.log_sigma.data = torch.tensor([0.3, -0.2, 0.1])
    own = objective(logits, z, weights, label, dataset)
    theirs = objective(logits, z, weights, label.flip(0), dataset.flip(0))
    both = objective(logits, z, weights, label, dataset, partner)
    for name in NAMES:
        expected = 0.3 * own.classification[name] + 0.7 * theirs.classification[name]
        assert both.classification[name].item() == pytest.approx(expected.item(), rel=1e-10)
    assert both.total.item() == pytest.approx((0.3 * own.total + 0.7 * theirs.total).item(), rel=1e-6)
    assert torch.equal(both.variance, own.variance) and torch.equal(both.covariance, own.covariance)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_cross_entropy_of_the_soft_label_within_a_dataset(smoothing):
    """The release's form, for clips and partners of one dataset: smoothing goes with each label."""
    logits, z, weights, label, _ = batch()
    dataset, classes = torch.zeros_like(label), logits[NAMES[0]].shape[1]
    label = label % classes
    objective = Objective(NAMES, False, "none", "fixed", label_smoothing=smoothing)
    found = objective(logits, z, weights, label, dataset, partner_of(label, dataset, 0.3)).total
    hot, other = (torch.nn.functional.one_hot(y, classes).double() for y in (label, label.flip(0)))
    soft = 0.3 * hot + 0.7 * other
    soft = (1 - smoothing) * soft + smoothing / classes
    expected = -(soft * logits[NAMES[0]].log_softmax(-1)).sum() / len(label)
    assert found.item() == pytest.approx(expected.item(), rel=1e-10)


def test_lambda_1_and_mixing_with_oneself_change_nothing():
    (logits, z, weights, label, dataset), whole = mixed(lam=1.0)
    objective = Objective(NAMES)
    plain = objective(logits, z, weights, label, dataset).total
    assert torch.equal(objective(logits, z, weights, label, dataset, whole).total, plain)
    itself = Partner(label, dataset, 0.4)
    assert objective(logits, z, weights, label, dataset, itself).total.item() == pytest.approx(plain.item(), rel=1e-6)


def test_across_datasets_no_label_is_lost_unless_it_is_asked_for():
    """Of equal logits every label costs log C_k, so that the losses count labels."""
    (logits, _, _, label, dataset), kept = mixed()
    lost = partner_of(label, dataset, 0.3, lost=True)
    flat = {name: torch.zeros_like(y) for name, y in logits.items()}
    cost = torch.tensor([math.log(flat[name].shape[1]) for name in NAMES], dtype=torch.float64)
    objective = Objective(NAMES, projection="none")
    same = dataset == dataset.flip(0)
    assert same.any() and not same.all()
    for partner, of_partner in ((kept, torch.ones(8)), (lost, same)):
        labels = objective.classification(flat, {}, label, dataset, partner) / cost * 8
        assert labels.sum().item() == pytest.approx(0.3 * 8 + 0.7 * of_partner.sum().item(), rel=1e-9)
    assert torch.equal(lost.label[same], kept.label[same]) and (lost.dataset[~same] == -1).all()
    assert torch.equal(lost.dataset[same], dataset[same])


def test_the_terms_computed_one_by_one_are_those_of_forward():
    arguments, partner = mixed()
    logits, z, weights, label, dataset = arguments
    for informative in (True, False):
        objective = Objective(NAMES, informative, variance_weight=2.0)
        z = z.detach().requires_grad_()
        pieces = objective.informative_terms(z)
        assert all(piece.requires_grad is informative for piece in pieces)
        losses = objective.classification(logits, weights, label, dataset, partner)
        assert losses.shape == (3,)
        combined, whole = objective.combine(losses, *pieces), objective(logits, z, weights, label, dataset, partner)
        assert torch.equal(combined.total, whole.total) and combined.classification == whole.classification


@pytest.mark.parametrize("parts", [2, 4])
def test_chunks_with_their_own_reverse_are_the_mixed_batch(parts):
    """Chunks are what each process computes alone: the mean over equal chunks is the whole batch's L."""
    (logits, _, weights, label, dataset), partner = mixed()
    objective = Objective(NAMES)
    whole = objective.classification(logits, weights, label, dataset, partner)
    half = 8 // (2 * parts)
    chunks = [[*range(c * half, (c + 1) * half), *range(8 - (c + 1) * half, 8 - c * half)] for c in range(parts)]
    losses = [
        objective.classification(
            {name: y[rows] for name, y in logits.items()},
            weights,
            label[rows],
            dataset[rows],
            partner_of(label[rows], dataset[rows], 0.3),
        )
        for rows in chunks
    ]
    assert torch.stack(losses).mean(0).tolist() == pytest.approx(whole.tolist(), rel=1e-10)


def test_gradcheck_with_partners():
    logits, z, weights, label, dataset = batch(b=5)
    objective, partner = Objective(NAMES).double(), partner_of(label, dataset, 0.35)
    names = list(logits)

    def total(z, *rest):
        return objective(dict(zip(names, rest, strict=True)), z, weights, label, dataset, partner).total

    assert torch.autograd.gradcheck(total, [x.detach().requires_grad_() for x in (z, *logits.values())])


@pytest.mark.parametrize(
    ("label", "dataset", "message"), [(0, -2, "or -1 for a label"), (-100, 0, "label -100 of k400")]
)
def test_partners_of_nothing_are_refused(label, dataset, message):
    arguments, partner = mixed()
    partner.label[0], partner.dataset[0] = label, dataset
    with pytest.raises(ValueError, match=message):
        Objective(NAMES)(*arguments, partner)
