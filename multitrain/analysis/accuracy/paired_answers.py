"""Right and wrong answers of one run on one dataset's test clips, a row a seed, for paired comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from multitrain.common.ranks import top
from multitrain.common.records.predictions import read_predictions, require_same_forms
from multitrain.common.records.run_record import read_record

__all__ = ["Answers", "read_answers"]


@dataclass(frozen=True)
class Answers:
    """Which of N clips were right, top-1, for S seeds."""

    path: Path  # predictions of the first seed
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,), the video that each clip is cut from
    labels: np.ndarray  # (N,)
    own: np.ndarray  # (S, N), 0 or 1, by Y_k
    projected: np.ndarray | None  # (S, N), by Y'_k; None where the run has no projections
    synthetic: bool
    code: frozenset[str]

    def right(self, projected: bool) -> np.ndarray:
        """By Y'_k if `projected` and there is one, else by Y_k; (S, N)."""
        return self.projected if projected and self.projected is not None else self.own

    def rows(self, places: Sequence[int]) -> "Answers":
        """Those of some of the S seeds, by their places."""
        projected = None if self.projected is None else self.projected[list(places)]
        return replace(self, own=self.own[list(places)], projected=projected)


def read_answers(folders: list[Path], dataset: str) -> Answers:
    """The answers of one run, whose `folders` are one a seed, or a UserError that names the file."""
    its = [_read_one(folder, dataset) for folder in folders]
    require_same_forms(its)
    first = its[0]
    return Answers(
        first.path,
        first.clip_ids,
        first.videos,
        first.labels,
        np.concatenate([each.own for each in its]),
        None if first.projected is None else np.concatenate([each.projected for each in its]),
        any(each.synthetic for each in its),
        frozenset().union(*(each.code for each in its)),
    )


def _read_one(folder: Path, dataset: str) -> Answers:
    record = read_record(folder, "code")
    found = read_predictions(folder / "predictions" / f"{dataset}.parquet")
    own = top(1, found.rank)[None]  # (1, N)
    projected = None if found.projected is None else top(1, found.projected)[None]
    code = frozenset({record["code"]})
    clips = (found.clip_ids, found.videos, found.labels)
    return Answers(found.path, *clips, own, projected, record["synthetic"], code)
