"""Losses against loops written from the equations, and the properties they must have."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multitrain.losses.informative import covariance, variance
from multitrain.losses.objective import Objective
from multitrain.losses.projection import add_projections, projection_loss
from multitrain.losses.weighting import uncertainty

torch.set_default_dtype(torch.float32)
NAMES = ("k400", "mit", "ssv2")
CLASSES = {"k400": 5, "mit": 4, "ssv2": 3}


def embeddings(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.7


def test_the_deviation_is_the_nearest_float32_on_every_processor():
    """IEEE 754's root, as numpy's; the last bit of torch's float32 root differs between kinds of processor."""
    for column in (embeddings(16, 512).float() * 0.5).split(1, dim=1):
        spread = (column - column.mean(0)).square().sum(0) / 15 + 1e-4
        assert variance(column).item() == (1 - np.sqrt(spread.numpy())).clip(0).item()


def batch(seed: int = 0, b: int = 9):
    """Logits, Z', W, labels and datasets in float64."""
    g = torch.Generator().manual_seed(seed)
    logits = {name: torch.randn(b, c, generator=g, dtype=torch.float64) for name, c in CLASSES.items()}
    weights = {
        (i, k): torch.randn(CLASSES[k], CLASSES[i], generator=g, dtype=torch.float64)
        for k in NAMES
        for i in NAMES
        if i != k
    }
    dataset = torch.tensor([0, 1, 2, 0, 0, 1, 2, 1, 0])[:b]
    label = torch.tensor([int(n) % list(CLASSES.values())[k] for n, k in enumerate(dataset.tolist())])
    return logits, embeddings(b, 6, seed), weights, label, dataset


def naive_variance(z, epsilon=1e-4):
    n, d = z.shape
    total = 0.0
    for j in range(d):
        mean = sum(z[i, j].item() for i in range(n)) / n
        var = sum((z[i, j].item() - mean) ** 2 for i in range(n)) / (n - 1)
        total += max(0.0, 1 - math.sqrt(var + epsilon))
    return total / d


def naive_covariance(z):
    n, d = z.shape
    mean = [sum(z[i, j].item() for i in range(n)) / n for j in range(d)]
    total = 0.0
    for a in range(d):
        for b in range(d):
            if a != b:
                c = sum((z[i, a].item() - mean[a]) * (z[i, b].item() - mean[b]) for i in range(n)) / (n - 1)
                total += c * c
    return total / d


def rounding(z: torch.Tensor) -> float:
    """Tolerance of the covariance loss: the rounding errors of the sum of squares, which it is a small part of."""
    return 1e-13 * z.var(0).sum().item() ** 2


def naive_cross_entropy(logits, label, smoothing):
    """-sum_c target_c log softmax(logits)_c for one clip; Eq. 5 with a smoothed target."""
    c = len(logits)
    norm = math.log(sum(math.exp(v.item()) for v in logits))
    target = [smoothing / c + (1 - smoothing) * (index == label) for index in range(c)]
    return -sum(t * (v.item() - norm) for t, v in zip(target, logits, strict=True))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 10_000))
@example(7, 3, 0)  # Z^T Z is the smaller product
@example(3, 7, 0)  # Z Z^T
def test_informative_terms_equal_the_loops(n, d, seed):
    z = embeddings(n, d, seed)
    assert variance(z).item() == pytest.approx(naive_variance(z), abs=1e-13)  # of numbers up to 1
    assert covariance(z).item() == pytest.approx(naive_covariance(z), abs=rounding(z))


def test_whitened_embedding_costs_nothing_and_collapse_the_most():
    z = embeddings(40, 6)
    z = z - z.mean(0)
    white = z @ torch.linalg.inv(torch.linalg.cholesky(z.T @ z / 39)).T
    assert variance(white).item() == pytest.approx(0, abs=1e-13)
    assert covariance(white).item() == pytest.approx(0, abs=rounding(white))
    collapsed = torch.ones(40, 6, dtype=torch.float64)
    assert variance(collapsed).item() == pytest.approx(1 - math.sqrt(1e-4))
    assert covariance(collapsed).item() == 0
    assert all(variance(embeddings(40, 6, s)).item() < variance(collapsed).item() for s in range(5))
    copies = z[:, :1].repeat(1, 6)  # full variance, but one dimension in six copies
    assert covariance(copies).item() > 100 * covariance(white).item() + 1


def test_half_precision_embeddings_do_not_overflow():
    z = (embeddings(8, 600) * 300).to(torch.float16)
    assert torch.isfinite(covariance(z))


def test_a_single_embedding_has_no_statistics():
    with pytest.raises(ValueError, match="at least 2"):
        variance(embeddings(1, 4))


def test_zero_projections_change_nothing():
    logits, _, weights, label, _ = batch()
    zeros = [torch.zeros_like(weights[i, "mit"]) for i in ("k400", "ssv2")]
    others = [logits["k400"], logits["ssv2"]]
    assert torch.equal(add_projections(logits["mit"], others, zeros), logits["mit"])
    label = label % 4
    added = projection_loss("add", logits["mit"], others, zeros, label)
    assert torch.equal(added, projection_loss("none", logits["mit"], [], [], label))


@pytest.mark.parametrize("mode", ["add", "detached", "separate", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classification_equals_the_loop(mode, smoothing):
    logits, z, weights, label, dataset = batch()
    objective = Objective(NAMES, False, mode, "fixed", label_smoothing=smoothing)
    terms = objective(logits, z, weights, label, dataset)
    for k, name in enumerate(NAMES):
        expected = 0.0
        for row in range(len(label)):
            if dataset[row] != k:
                continue
            own = logits[name][row]
            projected = {i: weights[i, name] @ logits[i][row] for i in NAMES if i != name}
            if mode in ("add", "detached"):
                own = own + sum(projected.values())
            expected += naive_cross_entropy(own, label[row].item(), smoothing)
            if mode == "separate":
                branches = [naive_cross_entropy(y, label[row].item(), smoothing) for y in projected.values()]
                expected += sum(branches) / len(branches)
        assert terms.classification[name].item() == pytest.approx(expected / len(label), rel=1e-10)
    assert terms.total.item() == pytest.approx(sum(t.item() for t in terms.classification.values()))


def test_detached_sums_leave_the_gradient_of_the_own_logits_and_the_projections_alone():
    found = {}
    for mode in ("add", "detached"):
        logits, z, weights, label, dataset = batch()
        leaves = [*logits.values(), *weights.values()]
        total = Objective(NAMES, False, mode, "fixed")(
            {name: y.requires_grad_() for name, y in logits.items()},
            z,
            {pair: w.requires_grad_() for pair, w in weights.items()},
            label,
            dataset,
        ).total
        found[mode] = torch.autograd.grad(total, leaves)
    of_others = {name: (dataset != k)[:, None] for k, name in enumerate(NAMES)}  # (B, 1): rows of another dataset
    for name, added, detached in zip(NAMES, *(found[mode][: len(NAMES)] for mode in found), strict=True):
        assert torch.equal(added.masked_fill(of_others[name], 0), detached)
        assert added[of_others[name].squeeze(1)].abs().min() > 0
    for added, detached in zip(*(found[mode][len(NAMES) :] for mode in found), strict=True):
        assert torch.equal(added, detached) and added.abs().min() > 0


def test_sigma_has_no_gradient_at_its_optimum_and_pulls_towards_it():
    losses = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
    best = (losses.log() / 2).requires_grad_()
    (gradient,) = torch.autograd.grad(uncertainty(losses, best), best)
    assert gradient.abs().max() < 1e-12
    away = (best.detach() + torch.tensor([-0.1, 0.1, 0.2])).requires_grad_()
    (gradient,) = torch.autograd.grad(uncertainty(losses, away), away)
    assert gradient.sign().tolist() == [-1, 1, 1]
    assert uncertainty(losses, away) > uncertainty(losses, best)


def test_uncertainty_is_equation_6():
    losses, log_sigma = torch.tensor([[0.3, 1.7], [0.2, -0.4]], dtype=torch.float64)
    expected = sum(
        loss / (2 * math.exp(s) ** 2) + s for loss, s in zip(losses.tolist(), log_sigma.tolist(), strict=True)
    )
    assert uncertainty(losses, log_sigma).item() == pytest.approx(expected, rel=1e-13)


def test_the_total_is_the_sum_of_its_weighted_terms():
    logits, z, weights, label, dataset = batch()
    objective = Objective(NAMES, True, "add", "uncertainty", variance_weight=0.5, covariance_weight=3.0)
    terms = objective(logits, z, weights, label, dataset)
    expected = 0.5 * variance(z) + 3.0 * covariance(z) + sum(terms.classification.values()) / 2
    assert terms.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_switched_off_term_sends_no_gradient():
    logits, z, weights, label, dataset = batch()
    z.requires_grad_()
    for informative in (False, True):
        objective = Objective(NAMES, informative, "add", "uncertainty")
        total = objective(logits, z, weights, label, dataset).total + z.sum() * 0
        (gradient,) = torch.autograd.grad(total, z)
        assert bool(gradient.abs().sum() > 0) is informative


def test_a_dataset_without_a_clip_in_the_batch_has_no_loss():
    logits, z, weights, label, dataset = batch(b=2)
    assert 2 not in dataset
    terms = Objective(NAMES)(logits, z, weights, label, dataset)
    assert terms.classification["ssv2"].item() == 0
    assert torch.isfinite(terms.total)


def test_gradcheck_of_the_whole_objective():
    logits, z, weights, label, dataset = batch(b=5)
    objective = Objective(NAMES).double()
    pairs, names = list(weights), list(logits)
    inputs = [z, *logits.values(), *weights.values(), objective.log_sigma]

    def total(z, *rest):
        given_logits = dict(zip(names, rest, strict=False))
        given_weights = dict(zip(pairs, rest[len(names) : -1], strict=True))
        return objective(given_logits, z, given_weights, label, dataset).total

    assert torch.autograd.gradcheck(total, [x.detach().requires_grad_() for x in inputs[:-1]] + inputs[-1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"datasets": "k400"}, "give a tuple of names"),
        ({"datasets": ()}, "give a tuple of names"),
        ({"datasets": ("a", "a")}, "each once"),
        ({"datasets": ("a",), "projection": "added"}, "projection 'added': choose of add, detached, separate, none"),
        ({"datasets": ("a",), "projection": None}, "projection None: choose of"),
        ({"datasets": ("a",), "weighting": "Uncertainty"}, "weighting 'Uncertainty': choose of uncertainty, fixed"),
    ],
)
def test_an_unknown_setting_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Objective(**arguments)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="projection 'mean': choose of"):
        projection_loss("mean", torch.zeros(1, 2), [], [], torch.tensor([0]))


@pytest.mark.parametrize(
    ("wrong_label", "wrong_dataset", "message"),
    [
        (0, 3, r"dataset index 3 of the batch: there are 0 \.\. 2"),
        (0, -1, r"dataset index -1 of the batch: there are 0 \.\. 2"),
        (-100, 0, r"label -100 of k400: its classes are 0 \.\. 4"),
        (4, 1, r"label 4 of mit: its classes are 0 \.\. 3"),
    ],
)
def test_labels_of_nothing_do_not_pass_for_free(wrong_label, wrong_dataset, message):
    logits, z, weights, label, dataset = batch()
    label[4], dataset[4] = wrong_label, wrong_dataset
    with pytest.raises(ValueError, match=message):
        Objective(NAMES)(logits, z, weights, label, dataset)


def test_a_clip_of_no_dataset_is_refused_without_a_check_of_values(monkeypatch):
    """As on an accelerator, where values are not checked and the lengths of the selections are known anyway."""
    logits, z, weights, label, dataset = batch()
    dataset[4] = 3
    objective = Objective(NAMES)
    monkeypatch.setattr(objective, "_check", lambda *_: None)
    with pytest.raises(ValueError, match=r"none of 0 \.\. 2"):
        objective(logits, z, weights, label, dataset)


def test_missing_logits_and_projections_are_named():
    logits, z, weights, label, dataset = batch()
    some = {pair: weight for pair, weight in weights.items() if pair != ("mit", "k400")}
    for mode in ("add", "detached", "separate"):
        with pytest.raises(ValueError, match=r"no projection weights of \('mit', 'k400'\).*projection='none'"):
            Objective(NAMES, projection=mode)(logits, z, some, label, dataset)
    Objective(NAMES, projection="none")(logits, z, {}, label, dataset)
    del logits["ssv2"]
    with pytest.raises(ValueError, match="no logits of ssv2"):
        Objective(NAMES)(logits, z, weights, label, dataset)


def test_one_clip_is_enough_where_its_statistics_do_not_count():
    logits, z, weights, label, dataset = batch(b=1)
    own = {name: y[:1] for name, y in logits.items()}
    terms = Objective(NAMES, informative=False)(own, z, weights, label, dataset)
    assert torch.isfinite(terms.total) and terms.variance.isnan() and terms.covariance.isnan()
    with pytest.raises(ValueError, match="at least 2"):
        Objective(NAMES)(own, z, weights, label, dataset)


def test_the_covariance_loss_is_not_negative_and_its_gradient_stays():
    """Of whitened embeddings the float32 sums differ by their rounding alone; ordinary ones keep every bit."""
    below = 0
    for seed in range(100):  # of which the sums of some come out below 0, whatever adds them up
        z = embeddings(64, 12, seed)
        z = z - z.mean(0)
        z = (z @ torch.linalg.inv(torch.linalg.cholesky(z.T @ z / 63)).T).float().requires_grad_()
        centred = z - z.mean(0)
        gram = centred.T @ centred
        plain = (gram.square().sum() - centred.square().sum(0).square().sum()) / (63**2 * 12)
        found = covariance(z)
        below += bool(plain < 0)
        assert found.item() == max(plain.item(), 0)
        (ours,), (theirs,) = torch.autograd.grad(found, z), torch.autograd.grad(plain, z)
        assert torch.equal(ours, theirs)
    assert below
