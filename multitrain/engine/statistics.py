"""What a network says of many clips together: moments of its features and logits, and its projections.

A clip's scores say nothing about the embedding's spectrum or a logit's scale, and the features of all clips would be
gigabytes at the paper's scale; means and covariances are enough, and those of several datasets can be pooled.
"""

from pathlib import Path

import numpy as np
import torch
from einops import einsum
from torch import Tensor

from multitrain.files import atomic
from multitrain.model.network import Network, Output


class Moments:
    """Mean and unbiased covariance of rows that come in batches, in float64 about the first batch's mean."""

    def __init__(self):
        self.count = 0
        self.shift = self.sums = self.products = None

    def add(self, rows: Tensor) -> None:
        """Take up rows (B, D)."""
        rows = rows.double()
        if self.shift is None:
            self.shift = rows.mean(0)  # (D,); near the mean, so that no digits cancel below
            self.sums, self.products = torch.zeros_like(self.shift), self.shift.new_zeros(2 * self.shift.shape)
        rows = rows - self.shift
        self.count += len(rows)
        self.sums += rows.sum(0)
        self.products += einsum(rows, rows, "b i, b j -> i j")

    def mean(self) -> np.ndarray:
        """(D,)"""
        return (self.shift + self.sums / self.count).cpu().numpy()

    def covariance(self) -> np.ndarray:
        """(D, D); zero for a single row."""
        spread = self.products - torch.outer(self.sums, self.sums) / self.count
        return (spread / max(self.count - 1, 1)).cpu().numpy()


class Statistics:
    """Moments over every view of the clips of one dataset k, and the projections into k."""

    def __init__(self, network: Network, dataset: str):
        self.network, self.dataset = network, dataset
        self.features, self.embedding = Moments(), Moments()
        self.logits = {name: Moments() for name in network.heads}

    def add(self, output: Output) -> None:
        """Take up a batch of views."""
        self.features.add(output.features)
        if self.network.spec.expander:
            self.embedding.add(output.embedding)
        for name, logits in output.logits.items():
            self.logits[name].add(logits)

    def write(self, path: Path) -> None:
        """Write an .npz of plain arrays; C_k classes, D features, d dimensions of the embedding.

        views (): how many were seen; features_mean (D,), features_covariance (D, D): z; embedding_mean (d,) and
        embedding_covariance (d, d): z', where there is an expander; logit_std.SOURCE (C_source,): of every head's Y
        on these views; projection.SOURCE (C_k, C_source): W of Eq. 4, where there are projections; classes.SOURCE
        (C_source,): class names of every head.
        """
        found = {
            "views": np.int64(self.features.count),
            "features_mean": self.features.mean(),
            "features_covariance": self.features.covariance(),
        }
        if self.network.spec.expander:
            found["embedding_mean"] = self.embedding.mean()
            found["embedding_covariance"] = self.embedding.covariance()
        for name, moments in self.logits.items():
            found[f"logit_std.{name}"] = np.sqrt(np.diagonal(moments.covariance()).clip(0))
            found[f"classes.{name}"] = np.array(self.network.spec.classes[name])
        for (source, target), weight in self.network.projections.weights().items():
            if target == self.dataset:
                found[f"projection.{source}"] = weight.detach().cpu().numpy()
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **found)
