"""Calibration of a head: reliability bins, expected calibration error (ECE) and log loss.

It needs predictions with scores; a packed study has ranks alone. A score is the mean softmax over the clip's views.
"""

from dataclasses import dataclass

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.common.ranks import ranks
from multitrain.common.seeding import generator

__all__ = ["BINS", "Bin", "Calibration", "calibration"]

BINS = 15  # of equal width, as in Guo et al., "On Calibration of Modern Neural Networks" (2017)
DRAWS = 2000  # of right and wrong answers by a calibrated head


@dataclass(frozen=True)
class Bin:
    """The clips whose answer has a probability in one of the BINS."""

    clips: int
    confidence: float  # mean probability of the answer
    accuracy: float
    low: float  # 95% interval of the accuracy over videos
    high: float


@dataclass(frozen=True)
class Calibration:
    """Reliability of one head on N clips; fractions."""

    bins: tuple[Bin, ...]  # those with clips, by rising confidence
    confidence: float
    accuracy: float
    ece: float  # expected calibration error: mean over clips of |confidence - accuracy| of their bin
    ece_calibrated: float  # mean ECE of a calibrated head of the same confidences: the least to expect of N clips
    ece_limit: float  # 95% of such heads are below
    log_loss: float  # mean of -log p of the own class, nats


def calibration(scores: np.ndarray, labels: np.ndarray, videos: np.ndarray) -> Calibration:
    """Calibration of probabilities (N, K) for clips with `labels` (N,) cut from `videos` (N,).

    Clips of one video are right or wrong together in the calibrated head that is held beside it.

    Raises:
        UserError: a score is not finite.
    """
    right = (ranks(scores, labels) == 0).astype(float)
    confidence = scores.max(axis=1).astype(float)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    _, video = np.unique(videos, return_inverse=True)
    drawn = generator(0, "calibration").random((DRAWS, video.max() + 1))[:, video] < confidence  # (DRAWS, N)
    calibrated = _errors(drawn - confidence, place)
    own = scores[np.arange(len(labels)), labels].astype(float)
    return Calibration(
        tuple(_bin(right[its], confidence[its], videos[its]) for b in range(BINS) if (its := place == b).any()),
        float(confidence.mean()),
        float(right.mean()),
        float(_errors((right - confidence)[None], place)[0]),
        float(calibrated.mean()),
        float(np.quantile(calibrated, 0.95)),
        float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean()),
    )


def _errors(gaps: np.ndarray, place: np.ndarray) -> np.ndarray:
    """ECE (R,) of right - confidence (R, N) with each clip's bin (N,)."""
    return sum(np.abs(gaps[:, place == b].sum(axis=1)) for b in np.unique(place)) / len(place)


def _bin(right: np.ndarray, confidence: np.ndarray, videos: np.ndarray) -> Bin:
    its = estimate([right[None]], [videos])
    return Bin(len(right), float(confidence.mean()), its.value, *its.interval_of_accuracy)
