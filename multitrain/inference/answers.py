"""Predictions for a video and for the parts of a long one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from multitrain.common.errors import UserError
from multitrain.model.network import Network

__all__ = ["Answer", "Best", "Failure", "Timeline", "Window", "best", "related"]

Best = list[tuple[str, float]]  # classes with their probabilities, the likeliest first


@dataclass(frozen=True)
class Answer:
    """The heads' answers to one video."""

    path: str
    classes: Mapping[str, tuple[str, ...]]  # of each dataset
    scores: Mapping[str, np.ndarray]  # (C_k,) float32 of each: softmax of Y_k, mean over views
    views: Mapping[str, int]  # how many views each is the mean of
    reached: float | None = None  # seconds up to which a damaged file could be read

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
    """A video without an answer, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class Window:
    """The heads' answers to one part of a video."""

    start: float  # seconds
    end: float
    scores: Mapping[str, np.ndarray]  # (C_k,) float32 by dataset


@dataclass(frozen=True)
class Timeline:
    """The heads' answers to N moments of a video, in order of time."""

    seconds: float  # duration of the video
    hop: float  # seconds from the start of one part to that of the next
    times: np.ndarray  # (N, 2) seconds at which each moment starts and ends
    titles: Mapping[str, str]  # of each dataset, as in tables
    classes: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, np.ndarray]  # (N, C_k) float32 by dataset: softmax of Y_k
    part: float = 0.0  # seconds of the video behind each answer
    note: str = ""  # a caveat on the heads

    @property
    def middles(self) -> np.ndarray:
        """(N,) seconds."""
        return self.times.mean(1)

    @property
    def broken(self) -> bool:
        """Whether the file could not be read to its end."""
        return bool(self.seconds - self.times[-1, 1] > 1e-3 * self.seconds + self.hop * 1e-6)

    def strongest(self, dataset: str, k: int) -> list[int]:
        """The k classes of the largest sum of probabilities while first, then of highest peak; in order of peaks."""
        scores = self.scores[dataset]
        lead = np.zeros(scores.shape[1])
        first = scores.argmax(1)
        np.add.at(lead, first, scores[np.arange(len(scores)), first])
        chosen = np.lexsort((-scores.max(0), -lead))[:k]
        return sorted(chosen.tolist(), key=lambda index: scores[:, index].argmax())

    def top(self, dataset: str, moment: int, k: int) -> Best:
        """The k likeliest classes of a moment with their probabilities."""
        return best(self.classes[dataset], self.scores[dataset][moment], k)


def related(network: Network, dataset: str, name: str, k: int = 3) -> dict[str, Best]:
    """For a class, the k classes of every other dataset with the largest projection weights to it (Eq. 4).

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
