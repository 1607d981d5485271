"""Uncertainty weighting of the datasets' losses (paper, Eq. 6)."""

from torch import Tensor

__all__ = ["uncertainty"]


def uncertainty(losses: Tensor, log_sigma: Tensor) -> Tensor:
    """sum over k of L_k / (2 sigma_k^2) + log sigma_k, from L (K,) and log sigma (K,).

    Its gradient by log sigma_k is zero where sigma_k^2 = L_k.
    """
    return (losses * (-2 * log_sigma).exp() / 2 + log_sigma).sum()
