"""User-defined loss terms: one that compares clips, one with weights of its own, and ones that are wrong."""

import torch
from torch import Tensor, nn

from multitrain.losses.extra_terms import BatchOutputs

HERE = "tests.engine.own_losses"
CONTRAST, CENTRES = f"{HERE}:contrast", f"{HERE}:Centres"


def contrast(outputs: BatchOutputs, temperature: float = 0.5) -> Tensor:
    """A contrastive loss (B,) over pairs of clips, weighted by labels, partners and the order in the batch."""
    z = nn.functional.normalize(outputs.features + outputs.embedding.mean(1, keepdim=True), dim=1)
    same = (outputs.label[:, None] == outputs.label) & (outputs.dataset[:, None] == outputs.dataset)
    if outputs.partner is not None:
        same = same + outputs.partner.lam * (outputs.partner.label[:, None] == outputs.label)
    place = 1 + torch.arange(len(z), device=z.device) / len(z)
    scores = torch.stack([each.square().mean(1) for each in outputs.projected.values()]).sum(0)
    return place * ((z @ z.T / temperature).log_softmax(1) * same).mean(1).neg() + scores


class Centres(nn.Module):
    """The distance of logits from learned centres, and of their mean from the running one; a scalar."""

    def __init__(self, classes: dict[str, int], width: int, embedding: int):
        super().__init__()
        self.name, count = next(iter(classes.items()))
        self.centres = nn.Parameter(torch.randn(count, count))
        self.register_buffer("seen", torch.zeros(count))

    def forward(self, outputs: BatchOutputs) -> Tensor:
        logits = outputs.logits[self.name]
        with torch.no_grad():
            self.seen.lerp_(logits.mean(0), 0.5)
        return (logits[:, None] - self.centres).square().mean() + (logits.mean(0) - self.seen).square().mean()


def text(outputs: BatchOutputs) -> str:
    return "high"


def wide(outputs: BatchOutputs) -> Tensor:
    return outputs.features


def detached(outputs: BatchOutputs) -> Tensor:
    return outputs.features.detach().mean()


def undefined(outputs: BatchOutputs) -> Tensor:
    return outputs.features.log().mean()


def steep(outputs: BatchOutputs) -> Tensor:
    return (outputs.features - outputs.features.detach()).square().sum().sqrt()


def of_second(outputs: BatchOutputs) -> Tensor:
    """Undefined in a batch without clips of the second dataset."""
    return outputs.logits[outputs.datasets[1]][outputs.dataset == 1].mean()


def failing(outputs: BatchOutputs) -> Tensor:
    return outputs.feature


def sized(outputs: BatchOutputs) -> Tensor:
    """For z of width 6 alone."""
    return (outputs.features @ torch.ones(6)).mean()


def two(outputs: BatchOutputs, other: Tensor) -> Tensor:
    return outputs.features.mean() + other


def none() -> Tensor:
    return torch.zeros(())


class Unmade(nn.Module):
    def __init__(self, width: int):
        super().__init__()
