"""Extra loss terms, added to Eq. 6: user-defined functions of the network's outputs for a step's whole batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multitrain.losses.weighting import uncertainty

__all__ = ["BatchOutputs", "ExtraTerms", "Partner"]


@dataclass(frozen=True)
class Partner:
    """Mixup partners of a batch: label and dataset of the clip that each clip was mixed with."""

    label: Tensor  # (B,) class within the partner's own dataset
    dataset: Tensor  # (B,) index of the partner's dataset; -1 if its label does not count
    lam: float  # lambda, weight of the clip's own label; 1 - lambda is the partner's


@dataclass(frozen=True)
class BatchOutputs:
    """The network's outputs for the B clips of a step's whole batch, in the batch's order and in float32."""

    features: Tensor  # z (B, D)
    embedding: Tensor  # Z' (B, d): the expander's output; z where the run has no informative loss
    logits: dict[str, Tensor]  # Y_k (B, C_k) of every dataset's head for every clip
    projected: dict[str, Tensor]  # Y'_k (B, C_k) of Eq. 4; Y_k where the run has no projections
    label: Tensor  # (B,) class within the clip's own dataset
    dataset: Tensor  # (B,) index into `datasets`
    datasets: tuple[str, ...]  # names, as those of logits
    partner: Partner | None = None  # where the step's clips are mixed


Function = Callable[[BatchOutputs], Tensor]


class ExtraTerms(nn.Module):
    """Extra loss terms by name, each weighted by a factor, or where that is None by a learned sigma as in Eq. 6.

    A function that is a torch module is a submodule: its parameters are optimised, its buffers kept.
    """

    def __init__(self, functions: Mapping[str, Function], weights: Mapping[str, float | None]):
        super().__init__()
        self.functions, self.weights = dict(functions), {name: weights[name] for name in functions}
        self.stateful = nn.ModuleDict({name: f for name, f in functions.items() if isinstance(f, nn.Module)})
        self.learned = [name for name in functions if weights[name] is None]
        if self.learned:
            self.log_sigma = nn.Parameter(torch.zeros(len(self.learned)))

    def sigma(self) -> dict[str, float]:
        """The learned sigma, by name."""
        values = self.log_sigma.detach().exp().tolist() if self.learned else []
        return dict(zip(self.learned, values, strict=True))

    def term(self, name: str, outputs: BatchOutputs) -> Tensor:
        """One function's value, unweighted: a scalar; where it returns (B,), the mean over the clips.

        Raises:
            TypeError: the function returns something else.
        """
        value = self.functions[name](outputs)
        clips = len(outputs.label)
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.shape not in ((), (clips,)):
            given = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise TypeError(f"{name} returns {given}: return a scalar tensor, or a tensor ({clips},) of a loss a clip")
        return value.mean()

    def forward(self, outputs: BatchOutputs) -> Tensor:
        """(E,): every function's value, unweighted."""
        return torch.stack([self.term(name, outputs) for name in self.functions])

    def weighted(self, values: Tensor) -> Tensor:
        """The sum of values (E,), each by its factor or its sigma."""
        pairs = list(zip(self.weights.items(), values, strict=True))
        terms = [weight * value for (_, weight), value in pairs if weight is not None]
        if self.learned:
            learned = torch.stack([value for (_, weight), value in pairs if weight is None])
            terms.append(uncertainty(learned, self.log_sigma))
        return torch.stack(terms).sum()
