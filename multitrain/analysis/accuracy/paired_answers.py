"""Right and wrong answers of a run on a dataset's test clips, a row per seed, for paired comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from multitrain.common.ranks import top
from multitrain.common.records.predictions import predictions_path, read_predictions, require_same_forms
from multitrain.common.records.run_record import read_record

__all__ = ["Answers", "read_answers"]


@dataclass(frozen=True)
class Answers:
    """Top-1 correctness of N clips for S seeds."""

    path: Path  # predictions of the first seed
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,), the video that each clip is cut from
    labels: np.ndarray  # (N,)
    own: np.ndarray  # (S, N), 0 or 1, by Y_k
    projected: np.ndarray | None  # (S, N), by Y'_k; None where the run has no projections
    synthetic: bool
    code: frozenset[str]

    def right(self, projected: bool) -> np.ndarray:
        """Correctness (S, N) by Y'_k if `projected` and the run has it, else by Y_k."""
        return self.projected if projected and self.projected is not None else self.own

    def rows(self, places: Sequence[int]) -> "Answers":
        """The answers of some of the S seeds, by row index."""
        projected = None if self.projected is None else self.projected[list(places)]
        return replace(self, own=self.own[list(places)], projected=projected)


def read_answers(folders: list[Path], dataset: str) -> Answers:
    """The answers of one run, from its folders, one per seed; a UserError names a file that is wrong."""
    answers = [_read_one(folder, dataset) for folder in folders]
    require_same_forms(answers)
    first = answers[0]
    return Answers(
        first.path,
        first.clip_ids,
        first.videos,
        first.labels,
        np.concatenate([each.own for each in answers]),
        None if first.projected is None else np.concatenate([each.projected for each in answers]),
        any(each.synthetic for each in answers),
        frozenset().union(*(each.code for each in answers)),
    )


def _read_one(folder: Path, dataset: str) -> Answers:
    record = read_record(folder, "code")
    predictions = read_predictions(predictions_path(folder, dataset))
    own = top(1, predictions.rank)[None]  # (1, N)
    projected = None if predictions.projected is None else top(1, predictions.projected)[None]
    code = frozenset({record["code"]})
    clips = (predictions.clip_ids, predictions.videos, predictions.labels)
    return Answers(predictions.path, *clips, own, projected, record["synthetic"], code)
