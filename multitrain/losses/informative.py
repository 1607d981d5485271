"""The informative loss: variance and covariance of an expanded embedding (paper, Eq. 2 and 3)."""

import torch
from torch import Tensor

__all__ = ["covariance", "variance"]


def _centred(z: Tensor) -> Tensor:
    if len(z) < 2:
        raise ValueError(f"the informative loss needs a batch of at least 2 embeddings, got {len(z)}")
    z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z  # the squared sum overflows half precision
    return z - z.mean(dim=0)


def variance(z: Tensor, epsilon: float = 1e-4) -> Tensor:
    """L^v = 1/d sum_j max(0, 1 - sqrt(Var(Z'_j) + epsilon)) of embeddings Z' (n, d); Eq. 2.

    The paper divides the sum over the batch by d - 1, a slip; this is the unbiased variance, over n - 1.
    """
    spread = _centred(z).square().sum(dim=0) / (len(z) - 1) + epsilon  # (d,)
    # In float64: the last bit of torch's float32 root depends on the kind of processor.
    deviation = spread.double().sqrt().to(spread.dtype)
    return (1 - deviation).clamp_min(0).mean()


def covariance(z: Tensor) -> Tensor:
    """L^c = 1/d sum over i != j of C(Z')_ij^2 of embeddings Z' (n, d), C the unbiased covariance; Eq. 3.

    The sum of squares is the same for C = Z^T Z and for the Gram matrix Z Z^T; the smaller one is computed. The
    diagonal is subtracted from that sum: in float32 L^c has an error of some 1e-7 of the mean of Var(Z'_j)^2, and a
    smaller value may come out as 0.
    """
    z = _centred(z)
    n, d = z.shape
    gram = z @ z.T if n < d else z.T @ z
    diagonal = z.square().sum(dim=0)  # (d,)
    value = (gram.square().sum() - diagonal.square().sum()) / ((n - 1) ** 2 * d)
    return value - value.detach().clamp_max(0)  # 0 where rounding gives less; the gradient stays
