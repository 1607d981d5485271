"""The overall objective L(sigma) = L^v + L^c + sum over k of L_k / (2 sigma_k^2) + log sigma_k (paper, Eq. 6)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multitrain.losses.informative import covariance, variance
from multitrain.losses.projection import projection_loss
from multitrain.losses.weighting import uncertainty


@dataclass(frozen=True)
class Terms:
    """What one batch costs; every entry a scalar tensor. A switched-off informative term is reported all the same."""

    variance: Tensor  # L^v, unweighted
    covariance: Tensor  # L^c, unweighted
    classification: dict[str, Tensor]  # L_k by dataset: summed over its clips, divided by the whole batch
    total: Tensor


@dataclass(frozen=True)
class Partner:
    """What each clip of a batch was mixed with: the other clip's label and dataset."""

    label: Tensor  # (B,) class within the partner's own dataset
    dataset: Tensor  # (B,) index of the partner's dataset; -1: the partner's label does not count
    share: float  # lambda, the part of the clip's own label; 1 - lambda is the partner's


def partner_of(label: Tensor, dataset: Tensor, share: float, lost: bool = False) -> Partner:
    """The partners in a batch that is mixed with its own reverse; label (B,), dataset (B,).

    Where `lost`, a partner from another dataset mixed its pixels only, as in the release, whose dataset mask is not
    mixed: of such a clip 1 - lambda of a label is missing.
    """
    other = dataset.flip(0)
    return Partner(label.flip(0), other.masked_fill(other != dataset, -1) if lost else other, share)


class Objective(nn.Module):
    """Owns log sigma (K,), which belongs in the optimiser without weight decay.

    Args:
        datasets: names, in the order of the batch's dataset index.
        informative: whether L^v and L^c count.
        projection: "add" (Eq. 4), "separate" or "none"; see `projection_loss`.
        weighting: "uncertainty" (Eq. 6) or "fixed" (the plain sum of L_k).
        variance_weight, covariance_weight: factors on L^v and L^c; 1 and 1 in the paper.

    L_k is the sum over the batch's clips of dataset k divided by the whole batch, so that the sum over k is the batch's
    mean loss, and a batch without a clip of k has L_k = 0 instead of an undefined mean.
    """

    def __init__(
        self,
        datasets: tuple[str, ...],
        informative: bool = True,
        projection: str = "add",
        weighting: str = "uncertainty",
        variance_weight: float = 1.0,
        covariance_weight: float = 1.0,
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.datasets, self.informative, self.projection, self.weighting = datasets, informative, projection, weighting
        self.variance_weight, self.covariance_weight = variance_weight, covariance_weight
        self.label_smoothing = label_smoothing
        self.log_sigma = nn.Parameter(torch.zeros(len(datasets)), requires_grad=weighting == "uncertainty")

    def sigma(self) -> dict[str, float]:
        """sigma_k by dataset."""
        return dict(zip(self.datasets, self.log_sigma.detach().exp().tolist(), strict=True))

    def classification(
        self,
        logits: Mapping[str, Tensor],
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
        partner: Partner | None = None,
    ) -> Tensor:
        """L (K,) of logits Y_k (B, C_k) by dataset, W_ik (C_k, C_i) by (i, k), label (B,), dataset index (B,).

        Of mixed clips L_k = 1/B [lambda sum of l(y) over the clips of k + (1 - lambda) sum of l(y') over the clips
        whose partner, of label y', is of k]: what a soft label of both would cost, and no head sees a class of another.
        """
        each = range(len(self.datasets))
        losses = torch.stack([self._of_dataset(k, logits, weights, label, dataset) for k in each])
        if partner is not None:
            labels = partner.label, partner.dataset
            theirs = torch.stack([self._of_dataset(k, logits, weights, *labels) for k in each])
            losses = partner.share * losses + (1 - partner.share) * theirs
        return losses / len(label)

    def _of_dataset(
        self,
        k: int,
        logits: Mapping[str, Tensor],
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
    ) -> Tensor:
        """The loss of dataset k, summed over the rows whose label is of k."""
        name = self.datasets[k]
        rows = (dataset == k).nonzero().squeeze(1)  # (B_k,), possibly none
        others = [i for i in self.datasets if i != name] if self.projection != "none" else []
        return projection_loss(
            self.projection,
            logits[name][rows],
            [logits[i][rows] for i in others],
            [weights[i, name] for i in others],
            label[rows],
            self.label_smoothing,
        )

    def informative_terms(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """L^v and L^c of Z' (B, d), unweighted; without gradient where they do not count."""
        with torch.set_grad_enabled(self.informative and torch.is_grad_enabled()):
            return variance(embedding), covariance(embedding)

    def combine(self, losses: Tensor, variance: Tensor, covariance: Tensor) -> Terms:
        """Eq. 6 of L (K,), L^v and L^c."""
        total = uncertainty(losses, self.log_sigma) if self.weighting == "uncertainty" else losses.sum()
        if self.informative:
            total = total + self.variance_weight * variance + self.covariance_weight * covariance
        return Terms(variance, covariance, dict(zip(self.datasets, losses, strict=True)), total)

    def forward(
        self,
        logits: Mapping[str, Tensor],
        embedding: Tensor,
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
        partner: Partner | None = None,
    ) -> Terms:
        """The objective of one batch; Z' (B, d), the rest as in `classification`."""
        losses = self.classification(logits, weights, label, dataset, partner)
        return self.combine(losses, *self.informative_terms(embedding))
