"""Mean and covariance of a network's features and logits over many clips, batch by batch.

The embedding's spectrum and a logit's scale do not follow from scores, and the features of all clips would be gigabytes
at the paper's scale. Means and covariances suffice, and those of several datasets can be pooled.
"""

import numpy as np
import torch
from einops import einsum
from torch import Tensor

from multitrain.common.records.statistics import Statistics
from multitrain.model.network import Network, Output

__all__ = ["NetworkMoments"]


class Moments:
    """Mean and unbiased covariance of rows that come in batches, in float64 about the first batch's mean."""

    def __init__(self) -> None:
        self.count = 0
        self.shift = self.sums = self.products = torch.empty(0)

    def add(self, rows: Tensor) -> None:
        """Add rows (B, D)."""
        rows = rows.double()
        if not self.count:
            self.shift = rows.mean(0)  # (D,); near the mean, so that no digits cancel below
            self.sums, self.products = torch.zeros_like(self.shift), self.shift.new_zeros(2 * self.shift.shape)
        rows = rows - self.shift
        self.count += len(rows)
        self.sums += rows.sum(0)
        self.products += einsum(rows, rows, "b i, b j -> i j")

    def mean(self) -> np.ndarray:
        """The mean (D,)."""
        return (self.shift + self.sums / self.count).cpu().numpy()

    def covariance(self) -> np.ndarray:
        """The unbiased covariance (D, D); zero for a single row."""
        spread = self.products - torch.outer(self.sums, self.sums) / self.count
        return (spread / max(self.count - 1, 1)).cpu().numpy()


class NetworkMoments:
    """Moments of features, embeddings and logits over the views of dataset k, and the projections into k."""

    def __init__(self, network: Network, dataset: str):
        self.network, self.dataset = network, dataset
        self.features, self.embedding = Moments(), Moments()
        self.logits = {name: Moments() for name in network.heads}

    def add(self, output: Output) -> None:
        """Add a batch of views."""
        self.features.add(output.features)
        if self.network.spec.expander:
            self.embedding.add(output.embedding)
        for name, logits in output.logits.items():
            self.logits[name].add(logits)

    def statistics(self) -> Statistics:
        """The statistics of all views so far; `logit_std` has those of every head on these views."""
        embedding = self.embedding if self.network.spec.expander else None
        weights = self.network.projections.weights().items()
        return Statistics(
            views=self.features.count,
            features_mean=self.features.mean(),
            features_covariance=self.features.covariance(),
            embedding_mean=embedding.mean() if embedding else None,
            embedding_covariance=embedding.covariance() if embedding else None,
            logit_std={
                name: np.sqrt(np.diagonal(moments.covariance()).clip(0)) for name, moments in self.logits.items()
            },
            projections={
                source: weight.detach().cpu().numpy() for (source, target), weight in weights if target == self.dataset
            },
            classes={name: tuple(self.network.spec.classes[name]) for name in self.logits},
        )
