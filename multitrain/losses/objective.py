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

    def _classification(
        self,
        logits: Mapping[str, Tensor],
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
    ) -> Tensor:
        """L (K,)."""
        losses = []
        for k, name in enumerate(self.datasets):
            rows = (dataset == k).nonzero().squeeze(1)  # (B_k,), possibly none
            others = [i for i in self.datasets if i != name] if self.projection != "none" else []
            losses.append(
                projection_loss(
                    self.projection,
                    logits[name][rows],
                    [logits[i][rows] for i in others],
                    [weights[i, name] for i in others],
                    label[rows],
                    self.label_smoothing,
                )
            )
        return torch.stack(losses) / len(label)

    def forward(
        self,
        logits: Mapping[str, Tensor],
        embedding: Tensor,
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
    ) -> Terms:
        """Logits Y_k (B, C_k) by dataset, Z' (B, d), W_ik (C_k, C_i) by (i, k), label (B,), dataset index (B,)."""
        losses = self._classification(logits, weights, label, dataset)
        total = uncertainty(losses, self.log_sigma) if self.weighting == "uncertainty" else losses.sum()
        with torch.set_grad_enabled(self.informative and torch.is_grad_enabled()):
            spread, correlation = variance(embedding), covariance(embedding)
        if self.informative:
            total = total + self.variance_weight * spread + self.covariance_weight * correlation
        return Terms(spread, correlation, dict(zip(self.datasets, losses, strict=True)), total)
