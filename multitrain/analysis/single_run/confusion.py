"""Confusions and per-class accuracy of one training's predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.packed.packed_answers import answers
from multitrain.common.errors import UserError
from multitrain.common.ranks import top

__all__ = ["Confusion", "PredictedClasses", "read_predicted"]


@dataclass(frozen=True)
class Confusion:
    """Clips of one class that were taken for another."""

    true: int
    answered: int
    clips: tuple[str, ...]  # their ids
    of: int  # clips of the class


@dataclass(frozen=True)
class PredictedClasses:
    """The class that each of N clips was taken for, of K classes."""

    classes: tuple[str, ...]
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,)
    labels: np.ndarray  # (N,)
    answered: np.ndarray  # (N,)
    rank: np.ndarray  # (N,), of the own class, 0 for the best

    def matrix(self) -> np.ndarray:
        """Clips by true and answered class (K, K)."""
        counts = np.zeros((len(self.classes),) * 2, int)
        np.add.at(counts, (self.labels, self.answered), 1)
        return counts

    def worst(self, count: int) -> list[Confusion]:
        """The confusions with most clips, of equally many the larger share of the class first."""
        counts = self.matrix()
        of = counts.sum(axis=1)
        np.fill_diagonal(counts, 0)
        pairs = np.argwhere(counts)
        number = counts[tuple(pairs.T)]
        order = np.lexsort((-number / of[pairs[:, 0]], -number))[:count]
        return [
            Confusion(int(true), int(other), self._clips(true, other), int(of[true])) for true, other in pairs[order]
        ]

    def _clips(self, true: int, answered: int) -> tuple[str, ...]:
        return tuple(self.clip_ids[(self.labels == true) & (self.answered == answered)])

    def by_class(self) -> Iterator[dict]:
        """A row a class: clips, top-1 with its interval over videos and top-5 in percent, and its first confusion."""
        counts = self.matrix()
        for label, name in enumerate(self.classes):
            its, others = self.labels == label, counts[label].copy()
            row = {"class": name, "clips": int(its.sum())}
            if its.any():
                found = estimate([top(1, self.rank[its])[None]], [self.videos[its]])
                low, high = found.interval_of_accuracy
                row |= {"top1": 100 * found.value, "top1_low": 100 * low, "top1_high": 100 * high}
                row |= {"top5": 100 * top(5, self.rank[its]).mean()}
                others[label] = 0
                if others.any():
                    row |= {"taken_for": self.classes[others.argmax()], "taken_for_clips": int(others.max())}
            yield row


def read_predicted(path: Path, projected: bool = False) -> PredictedClasses:
    """The predicted classes of a predictions file, of a packed study too; with `projected` by Y'_k.

    Raises:
        UserError: no such predictions, without class names, or without Y'_k.
    """
    table, classes = answers(path)
    suffix = "_projected" if projected else ""
    rank, best = table[f"rank{suffix}"], table[f"top5{suffix}"]
    if rank.null_count:
        raise UserError(f"{path}: no scores by Y'_k: the run has no projections: leave --projected out")
    if not classes:
        raise UserError(f"{path}: no class names: evaluate the run again")
    labels = table["label"].to_numpy()
    answered = [
        label if place == 0 else next(each for each in its if each != label)  # a tie counts against the clip
        for label, place, its in zip(labels.tolist(), rank.to_pylist(), best.to_pylist(), strict=True)
    ]
    clips, videos = (table[name].to_numpy() for name in ("clip", "video"))
    return PredictedClasses(classes, clips, videos, labels.astype(int), np.array(answered), rank.to_numpy().astype(int))
