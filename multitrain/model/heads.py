"""Classification heads and projections: modules on the features and logits of the datasets."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from multitrain.model.attention import Mlp
from multitrain.model.backbones.mvit import init_linear
from multitrain.model.dropout import Dropout

__all__ = ["Projections", "add_projected", "make_head"]


class LinearHead(nn.Linear):
    """Dropout, then one linear layer: the head of the release's models of a single dataset."""

    def __init__(self, width: int, classes: int, dropout: float):
        super().__init__(width, classes)
        self.dropout = Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(self.dropout(z))


def make_head(width: int, classes: int, hidden: int, dropout: float) -> nn.Module:
    """h_k of the paper, "a linear layer or a MLP": linear where hidden is 0."""
    head = Mlp(width, hidden, classes, dropout) if hidden else LinearHead(width, classes, dropout)
    return head.apply(init_linear)


class Projections(nn.Module):
    """W_ik of Eq. 4 for every ordered pair of datasets: bias-free linear maps on logits, weight (C_k, C_i).

    They are stored as `into[target][source]`: no name is ever parsed.
    """

    def __init__(self, classes: Mapping[str, int], std: float = 0.02):
        super().__init__()
        self.into = nn.ModuleDict(
            {
                target: nn.ModuleDict(
                    {
                        source: nn.Linear(classes[source], classes[target], bias=False)
                        for source in classes
                        if source != target
                    }
                )
                for target in classes
            }
        )
        for weight in self.parameters():
            nn.init.normal_(weight, std=std) if std else nn.init.zeros_(weight)

    def weights(self) -> dict[tuple[str, str], Tensor]:
        """(source, target) -> W (C_target, C_source)."""
        into = cast(Mapping[str, Mapping[str, nn.Linear]], self.into)
        return {(source, target): layer.weight for target, sources in into.items() for source, layer in sources.items()}

    def forward(self, logits: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
        """(source, target) -> W Y_source (B, C_target), for all clips."""
        return {pair: logits[pair[0]] @ weight.T for pair, weight in self.weights().items()}


def add_projected(logits: Mapping[str, Tensor], projected: Mapping[tuple[str, str], Tensor]) -> dict[str, Tensor]:
    """Eq. 4: Y'_k = Y_k + sum over i of W_ik Y_i, for all clips."""
    return {
        target: torch.stack([own, *(y for (_, into), y in projected.items() if into == target)]).sum(0)
        for target, own in logits.items()
    }
