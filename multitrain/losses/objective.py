"""The overall objective L(sigma) = L^v + L^c + sum over k of L_k / (2 sigma_k^2) + log sigma_k (paper, Eq. 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from multitrain.losses.extra_terms import BatchOutputs, ExtraTerms, Partner
from multitrain.losses.informative import covariance, variance
from multitrain.losses.projection import MODES, projection_loss
from multitrain.losses.weighting import uncertainty

__all__ = ["Objective", "Terms", "moved", "partner_of"]

WEIGHTINGS = ("uncertainty", "fixed")


@dataclass(frozen=True)
class Terms:
    """The terms of the objective for one batch, scalar tensors; the informative ones also where they do not count.

    For a batch of one clip the informative terms are undefined: NaN where they do not count.
    """

    variance: Tensor  # L^v, unweighted
    covariance: Tensor  # L^c, unweighted
    classification: dict[str, Tensor]  # L_k by dataset: summed over its clips, divided by the whole batch
    total: Tensor
    extra: dict[str, Tensor] = field(default_factory=dict)  # extra terms, unweighted


def partner_of(label: Tensor, dataset: Tensor, lam: float, lost: bool = False) -> Partner:
    """The partners in a batch that is mixed with its own reverse; label (B,), dataset (B,).

    With `lost`, labels of partners from another dataset do not count, as in the release, whose dataset mask is not
    mixed: the weights of such a clip's labels sum to lambda.
    """
    other = dataset.flip(0)
    return Partner(label.flip(0), other.masked_fill(other != dataset, -1) if lost else other, lam)


class Objective(nn.Module):
    """The objective as a module with the parameter log sigma (K,), to be optimised without weight decay.

    Args:
        datasets: names, each once, in the order of the batch's dataset index.
        informative: whether L^v and L^c count.
        projection: "add" (Eq. 4), "detached", "separate" or "none"; see `projection_loss`.
        weighting: "uncertainty" (Eq. 6) or "fixed" (the plain sum of L_k).
        variance_weight, covariance_weight: factors on L^v and L^c; 1 and 1 in the paper.
        label_smoothing: of the classification losses; 0 in the paper.
        extra: extra terms, added to the paper's.

    L_k is the sum over the batch's clips of dataset k divided by the whole batch. The sum over k is the batch's mean
    loss, and a batch without a clip of k has L_k = 0.

    Raises:
        ValueError: an unknown setting, or datasets that are not a tuple of unique names.
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
        extra: ExtraTerms | None = None,
    ):
        super().__init__()
        if isinstance(datasets, str) or not datasets or len(set(datasets)) < len(datasets):
            raise ValueError(f"datasets {datasets!r}: give a tuple of names, each once, e.g. ('k400', 'ssv2')")
        if projection not in MODES:
            raise ValueError(f"projection {projection!r}: choose of {', '.join(MODES)}")
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting {weighting!r}: choose of {', '.join(WEIGHTINGS)}")
        self.datasets, self.informative, self.projection, self.weighting = datasets, informative, projection, weighting
        self.variance_weight, self.covariance_weight = variance_weight, covariance_weight
        self.label_smoothing = label_smoothing
        self.extra = extra
        self.log_sigma = nn.Parameter(torch.zeros(len(datasets)), requires_grad=weighting == "uncertainty")

    @property
    def of_whole_batch(self) -> bool:
        """Whether a term needs the whole batch, as it is no mean over clips: L^v and L^c, or an extra term."""
        return self.informative or self.extra is not None

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

        For mixed clips L_k = 1/B [lambda sum of l(y) over the clips of k + (1 - lambda) sum of l(y') over the clips
        whose partner, of label y', is of k]: the loss of a soft label, for classes of different heads too.

        Labels and dataset indices may stay on the processor while the logits are on an accelerator: then no operation
        waits for it.

        Raises:
            ValueError: logits or weights are missing; a clip is of no dataset; a label or a partner on the processor is
                out of range (on an accelerator the check would wait for it).
        """
        self._require(logits, weights)
        losses = self._summed(logits, weights, label, dataset, 0)
        if partner is not None:
            theirs = self._summed(logits, weights, partner.label, partner.dataset, -1)
            losses = partner.lam * losses + (1 - partner.lam) * theirs
        return losses / len(label)

    def _require(self, logits: Mapping[str, Tensor], weights: Mapping[tuple[str, str], Tensor]) -> None:
        """Raise a ValueError that names missing logits or weights."""
        if absent := [name for name in self.datasets if name not in logits]:
            raise ValueError(f"no logits of {', '.join(absent)}: every head's are needed, of all clips")
        if self.projection == "none":
            return
        pairs = [(i, k) for k in self.datasets for i in self.datasets if i != k]
        if lacking := [pair for pair in pairs if pair not in weights]:
            raise ValueError(
                f"no projection weights of {lacking[0]}: projection={self.projection!r} needs those of every ordered "
                "pair of datasets, as `Projections(classes).weights()` gives them; or choose projection='none'"
            )

    def _summed(
        self,
        logits: Mapping[str, Tensor],
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
        lowest: int,
    ) -> Tensor:
        """(K,): each dataset's loss summed over its rows; rows with a dataset index below 0 do not count."""
        self._check(logits, label, dataset, lowest)
        rows = [(dataset == k).nonzero().squeeze(1) for k in range(len(self.datasets))]  # (B_k,), possibly none
        if lowest == 0 and sum(map(len, rows)) < len(dataset):  # known here without another wait for the device
            raise ValueError(f"a dataset index of the batch is none of 0 .. {len(self.datasets) - 1}")
        return torch.stack([self._of_dataset(k, logits, weights, label, rows_k) for k, rows_k in enumerate(rows)])

    def _check(self, logits: Mapping[str, Tensor], label: Tensor, dataset: Tensor, lowest: int) -> None:
        """Raise a ValueError for values out of range, for tensors on a processor."""
        if dataset.device.type != "cpu" or label.device.type != "cpu" or not len(dataset):
            return
        last = len(self.datasets) - 1
        if wrong := dataset[(dataset < lowest) | (dataset > last)].tolist():
            allowed = f"0 .. {last}" if lowest == 0 else f"0 .. {last}, or -1 for a label that does not count"
            raise ValueError(f"dataset index {wrong[0]} of the batch: there are {allowed}")
        counts = torch.tensor([logits[name].shape[1] for name in self.datasets])
        beyond = (dataset >= 0) & ((label < 0) | (label >= counts[dataset]))
        if beyond.any():
            row = int(beyond.nonzero()[0])
            k = int(dataset[row])
            raise ValueError(f"label {label[row]} of {self.datasets[k]}: its classes are 0 .. {counts[k] - 1}")

    def _of_dataset(
        self,
        k: int,
        logits: Mapping[str, Tensor],
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        rows: Tensor,
    ) -> Tensor:
        """The loss of dataset k, summed over the rows (B_k,) whose label is of k."""
        name = self.datasets[k]
        others = [i for i in self.datasets if i != name] if self.projection != "none" else []
        device = logits[name].device
        rows, label = moved(rows, device), moved(label[rows], device)
        return projection_loss(
            self.projection,
            logits[name][rows],
            [logits[i][rows] for i in others],
            [weights[i, name] for i in others],
            label,
            self.label_smoothing,
        )

    def informative_terms(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """L^v and L^c of Z' (B, d), unweighted; without gradient if they do not count.

        Raises:
            ValueError: they count, and the batch is one clip.
        """
        if len(embedding) < 2 and not self.informative:
            return embedding.new_full((), torch.nan), embedding.new_full((), torch.nan)
        with torch.set_grad_enabled(self.informative and torch.is_grad_enabled()):
            return variance(embedding), covariance(embedding)

    def combine(self, losses: Tensor, variance: Tensor, covariance: Tensor, extra: Tensor | None = None) -> Terms:
        """Eq. 6 of L (K,), L^v and L^c, and the values (E,) of the extra terms."""
        total = uncertainty(losses, self.log_sigma) if self.weighting == "uncertainty" else losses.sum()
        if self.informative:
            total = total + self.variance_weight * variance + self.covariance_weight * covariance
        by_name = {}
        if self.extra is not None and extra is not None:
            total = total + self.extra.weighted(extra)
            by_name = dict(zip(self.extra.functions, extra, strict=True))
        return Terms(variance, covariance, dict(zip(self.datasets, losses, strict=True)), total, by_name)

    def forward(
        self,
        logits: Mapping[str, Tensor],
        embedding: Tensor,
        weights: Mapping[tuple[str, str], Tensor],
        label: Tensor,
        dataset: Tensor,
        partner: Partner | None = None,
        outputs: BatchOutputs | None = None,
    ) -> Terms:
        """The objective of one batch; Z' (B, d), the rest as in `classification`; `outputs` for the extra terms.

        Raises:
            ValueError: there are extra terms and no outputs; or as the terms say.
        """
        losses = self.classification(logits, weights, label, dataset, partner)
        if self.extra is not None and outputs is None:
            raise ValueError(
                "no outputs of the batch, which extra terms are functions of: give outputs=BatchOutputs(...)"
            )
        extra = self.extra(outputs) if self.extra is not None else None
        return self.combine(losses, *self.informative_terms(embedding), extra)


def moved(values: Tensor, device: torch.device) -> Tensor:
    """The values on a device; to an accelerator they are copied from page-locked memory, without waiting for it."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
