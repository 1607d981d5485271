"""Top-1 and top-5 of one training on one dataset, with intervals over videos."""

from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.common.ranks import top
from multitrain.common.records.predictions import read_predictions

__all__ = ["FORM_NAMES", "accuracy_lines"]

FORM_NAMES = {"scores": "Y_k", "scores_projected": "Y'_k"}  # columns of a predictions file by the paper's name


def accuracy_lines(path: Path, title: str) -> list[str]:
    """Lines for the terminal from a predictions file: a line each for Y_k and, where there is one, for Y'_k.

    Raises:
        UserError: no such predictions, or damaged ones.
    """
    found = read_predictions(path)
    forms = zip(FORM_NAMES.values(), (found.rank, found.projected), strict=True)
    lines = [f"{title} by {name}: {_text(rank, found.videos)}" for name, rank in forms if rank is not None]
    videos = len(set(found.videos))
    return [
        *lines,
        f"{len(found.labels)} clips of {videos} videos, {len(found.classes)} classes; in brackets the {LEVEL:.0%}"
        " interval over videos, of this one training: another seed gives another accuracy",
    ]


def _text(rank: np.ndarray, videos: np.ndarray) -> str:
    """`top-1 45.6 [40.1, 51.2], top-5 80.0 [75.2, 84.2]` of ranks (N,) of clips cut from videos (N,)."""
    parts = []
    for k in (1, 5):
        its = estimate([top(k, rank)[None]], [videos])
        low, high = its.interval_of_accuracy
        parts.append(f"top-{k} {100 * its.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    return ", ".join(parts)
