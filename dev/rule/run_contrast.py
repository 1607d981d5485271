"""One run of a packed study minus another, over seeds, videos and worlds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dev.rule.planned_power import SETS, right
from multitrain.analysis.accuracy.contrasts import Estimate, estimate_over_worlds
from multitrain.analysis.packed.packed_checks import settings
from multitrain.analysis.packed.packed_study import Study

__all__ = ["Side", "contrast", "worlds_of"]


@dataclass(frozen=True)
class Side:
    """A run, or each dataset's own, by Y_k or by Y'_k; its top-1 counts `factor` times."""

    runs: str | Mapping[str, str]
    factor: float = 1.0
    projected: bool = False

    def right(self, study: Study, dataset: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """`factor` where a clip is right, else 0, (S, N), and the clips' videos (N,).

        Raises:
            UserError: the study has no answers of the run, or none by Y'_k.
        """
        run = self.runs if isinstance(self.runs, str) else self.runs[dataset]
        correct, videos = right(study, run, dataset, seeds, self.projected)
        return self.factor * correct, videos


def contrast(
    study: Study, left: Side, other: Side, worlds: Iterable[Sequence[int]], datasets: Sequence[str] = SETS
) -> Estimate:
    """Top-1 of `left` minus that of `other`, as a fraction, in the mean of the datasets; `worlds` has each one's seeds.

    Raises:
        UserError: the study lacks a run's answers.
    """
    found = []
    for seeds in worlds:
        values, videos = [], []
        for dataset in datasets:
            (first, of), (second, _) = (side.right(study, dataset, seeds) for side in (left, other))
            values.append((first - second) / len(datasets))
            videos.append(of)
        found.append((values, videos))
    return estimate_over_worlds(found)


def worlds_of(study: Study) -> list[tuple[int, ...]]:
    """The seeds of each world of a packed study."""
    return list(settings(study)[0].by_world(study.seeds()).values())
