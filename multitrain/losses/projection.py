"""The projection loss: every dataset's logits, projected into the clip's own dataset (paper, Eq. 4 and 5).

Arguments are for the clips of one dataset k: own logits Y_k (B_k, C_k), the other datasets' logits Y_i (B_k, C_i) of
the same clips, and the projections W_ik (C_k, C_i). Only products into a clip's own dataset are formed.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

__all__ = ["MODES", "projection_loss"]

MODES = ("add", "detached", "separate", "none")


def add_projections(own: Tensor, others: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Y'_k = Y_k + sum over i != k of W_ik Y_i; (B_k, C_k). Eq. 4 (whose sum is written up to K - 1)."""
    for logits, weight in zip(others, weights, strict=True):
        own = own + logits @ weight.T
    return own


def cross_entropy(logits: Tensor, label: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy (Eq. 5) of logits (B_k, C_k), summed over the clips, in float32 or float64."""
    logits = logits if logits.dtype.itemsize == 8 else logits.float()
    return F.cross_entropy(logits, label, reduction="sum", label_smoothing=smoothing)


def projection_loss(
    mode: str, own: Tensor, others: Sequence[Tensor], weights: Sequence[Tensor], label: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The classification loss of one dataset's clips, summed over them.

    "add": cross-entropy of Y'_k, the paper. "detached": the same, but the clips of k give the others' heads, and the
    backbone through them, no gradient: what the sum says without what it teaches. "separate": cross-entropy of Y_k plus
    the mean over i of that of W_ik Y_i, the release, and the paper's "w/o projection add". "none": cross-entropy of
    Y_k, Vanilla.

    Raises:
        ValueError: another mode.
    """
    if mode not in MODES:
        raise ValueError(f"projection {mode!r}: choose of {', '.join(MODES)}")
    if mode == "detached":
        others = [logits.detach() for logits in others]
    if mode in ("add", "detached"):
        own = add_projections(own, others, weights)
    loss = cross_entropy(own, label, smoothing)
    if mode == "separate" and others:
        branches = [
            cross_entropy(logits @ weight.T, label, smoothing) for logits, weight in zip(others, weights, strict=True)
        ]
        loss = loss + sum(branches) / len(branches)
    return loss
