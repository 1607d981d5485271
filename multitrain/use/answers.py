"""What a network says of a video, and of the parts of a long one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from multitrain.errors import UserError
from multitrain.model.network import Network

__all__ = ["Answer", "Best", "Failure", "Window", "best", "related"]

Best = list[tuple[str, float]]  # classes with their probabilities, the likeliest first


@dataclass(frozen=True)
class Answer:
    """The heads' answers to one video."""

    path: str
    classes: Mapping[str, tuple[str, ...]]  # of each dataset that was asked
    scores: Mapping[str, np.ndarray]  # (C_k,) float32 of each: softmax of Y_k, mean over views
    views: Mapping[str, int]  # how many views each is the mean of
    reached: float | None = None  # seconds up to which a file could be read that breaks off

    def top(self, k: int = 5) -> dict[str, Best]:
        """The k likeliest classes of each dataset, all where there are fewer; of equally likely ones the first.

        Raises:
            ValueError: k is below 1.
        """
        if k < 1:
            raise ValueError(f"top({k}): ask for 1 class or more")
        return {name: best(self.classes[name], scores, k) for name, scores in self.scores.items()}


@dataclass(frozen=True)
class Failure:
    """A video that gave no answer, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Window:
    """The heads' answers to one part of a video."""

    start: float  # seconds
    end: float
    scores: Mapping[str, np.ndarray]  # (C_k,) float32 by dataset


def related(network: Network, dataset: str, name: str, k: int = 3) -> dict[str, Best]:
    """For a class, the k classes of every other dataset whose logits raise its own most by Eq. 4, with their weights.

    Those are the largest entries, signed as they are (as Table 4 ranks), of the class's row of W (C_target, C_source).

    Raises:
        UserError: the network has no projections.
    """
    if not network.spec.projections:
        raise UserError("this network has no projections, which relate classes: leave the related classes out")
    classes, row = network.spec.classes, network.spec.classes[dataset].index(name)
    return {
        source: best(classes[source], weight[row].detach().cpu().numpy(), k)
        for (source, target), weight in network.projections.weights().items()
        if target == dataset
    }


def best(classes: tuple[str, ...], scores: np.ndarray, k: int) -> Best:
    """The k classes of the highest scores, the highest first."""
    order = np.argsort(-scores, kind="stable")[:k]
    return [(classes[index], float(scores[index])) for index in order]
