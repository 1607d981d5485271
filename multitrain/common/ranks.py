"""Ranks of the true class among a clip's scores: the rule for top-1 and top-5 accuracy."""

import numpy as np

from multitrain.common.errors import UserError

__all__ = ["answers", "ranks", "top"]


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rank of each clip's own class among its scores (N, K), 0 for the best; returns (N,).

    A tie counts against the clip: equal scores rank before the own class, and so constant scores are never right. The
    release uses `torch.topk`, which promises no order among equal scores.

    Raises:
        UserError: a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise UserError(f"{int((~np.isfinite(scores)).any(axis=1).sum())} clips have scores that are not finite")
    own = np.take_along_axis(scores, labels[:, None].astype(np.int64), axis=1)  # (N, 1)
    return (scores >= own).sum(axis=1) - 1


def top(k: int, rank: np.ndarray) -> np.ndarray:
    """Whether the own class is among the best k, as 0 and 1; `rank` of any shape."""
    return (rank < k).astype(np.float64)


def answers(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class that counts as each clip's answer (N,): its own where that is the single best, else the best other."""
    others = scores.copy()
    np.put_along_axis(others, labels[:, None].astype(np.int64), -np.inf, axis=1)
    return np.where(ranks(scores, labels) == 0, labels, others.argmax(axis=1))
