"""Accuracy on whole, still, shuffled and reversed clips, and of one dataset's model on another's related classes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.accuracy.contrasts import Estimate, estimate
from multitrain.analysis.projections.class_relations import read_relations
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import regular
from multitrain.common.ranks import ranks, top
from multitrain.common.records.predictions import matrix, require_same_clips
from multitrain.config.scale import Scale

__all__ = ["Accuracy", "accuracy", "read_temporal", "related_accuracy", "summary"]

ABOUT = ("clip_id", "video_id", "label")
AGAIN = "run `multitrain temporal` again"
SAME = f"{AGAIN} for both"


@dataclass(frozen=True)
class Scored:
    """One split's clips as `multitrain temporal` scored them, N clips by C classes of a head."""

    path: Path
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,)
    labels: np.ndarray  # (N,), of the clips' own dataset
    scores: dict[str, np.ndarray]  # order of the frames: (N, C)
    classes: tuple[str, ...]  # of the head, C
    clip_classes: tuple[str, ...]  # of the clips' own dataset


@dataclass(frozen=True)
class Accuracy:
    """Top-1 as a fraction, and that of the best constant answer, the class most often right."""

    estimate: Estimate
    guess: float
    clips: int
    classes: int  # among which the answer is


def read_temporal(path: Path) -> Scored:
    """Read one file of scores, or raise a UserError that says what is wrong with it."""
    if not regular(path).is_file():
        raise UserError(f"{path}: no such scores: run `multitrain temporal` for this run and dataset first")
    try:
        table = pq.read_table(path).combine_chunks()
        said = {key.decode(): json.loads(text) for key, text in (table.schema.metadata or {}).items()}
        classes, own = tuple(said["classes"]), tuple(said["clip_classes"])
        clip_ids, videos, labels = (table[name].to_numpy() for name in ABOUT)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no readable scores ({' '.join(str(error).split())}): {AGAIN}") from None
    scores = {name: matrix(path, table[name]) for name in table.column_names if name not in ABOUT}
    if not len(table) or any(its.shape[1] != len(classes) for its in scores.values()):
        raise UserError(f"{path}: no clips, or other scores than classes: {AGAIN}")
    return Scored(path, clip_ids, videos, labels, scores, classes, own)


def accuracy(seeds: Sequence[Scored], order: str) -> Accuracy:
    """Top-1 of a run, one file a seed, in one order of the frames."""
    require_same_clips(seeds, SAME)
    first = seeds[0]
    right = np.stack([top(1, ranks(_scores(each, order), each.labels)) for each in seeds])  # (S, N)
    guess = np.bincount(first.labels).max() / len(first.labels)
    return Accuracy(estimate([right], [first.videos]), float(guess), len(first.labels), len(first.classes))


def related_accuracy(seeds: Sequence[Scored], related: np.ndarray, order: str = "whole") -> Accuracy | None:
    """Top-1 on another dataset's clips, whose classes have relatives among the head's; one file a seed.

    `related` (C_clips, C_head) says which classes are. Clips of classes without a relative are left out, and the answer
    is the best of the head's classes that are related to any: right where it is related to the clip's own. None where
    there are not two of these to choose from, or no such clip.
    """
    require_same_clips(seeds, SAME)
    first = seeds[0]
    kept, choice = np.asarray(related.any(axis=1))[first.labels], related.any(axis=0)
    if choice.sum() < 2 or not kept.any():
        return None
    truth = related[np.ix_(first.labels[kept], choice)]  # (n, c)
    right = []
    for each in seeds:
        answer = _scores(each, order)[kept][:, choice].argmax(axis=1)
        right.append(truth[np.arange(len(truth)), answer].astype(float))
    guess = truth.mean(axis=0).max()
    found = estimate([np.stack(right)], [first.videos[kept]])
    return Accuracy(found, float(guess), int(kept.sum()), int(choice.sum()))


def summary(
    scale: Scale, seed: int, data: Path, path: Path, dataset: str, other: str | None, orders: Sequence[str]
) -> list[str]:
    """A line an order of the frames; of another dataset's clips one line, of the related classes."""
    scored = read_temporal(path)
    if other is None:
        return [_line(order, accuracy([scored], order)) for order in orders]
    paths = tuple(scale.raw_folder(name, data, scale.world_of(seed)) / "relations.csv" for name in (dataset, other))
    classes = {dataset: scored.classes, other: scored.clip_classes}
    related = read_relations(paths if other in scale.related_datasets() else (), classes)
    found = related_accuracy([scored], related.matrix(dataset, other, classes))
    target, source = scale.dataset(other).title, scale.dataset(dataset).title
    if found is None:
        return [f"{target}: fewer than two classes of {source} are related to any of its classes: nothing to tell"]
    return [_line(f"{target} by {found.classes} related classes of {source}", found)]


def _line(what: str, found: Accuracy) -> str:
    low, high = found.estimate.interval
    return (
        f"{what:9} {100 * found.estimate.value:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        f"  guess {100 * found.guess:.1f}, {found.clips} clips"
    )


def _scores(scored: Scored, order: str) -> np.ndarray:
    if order not in scored.scores:
        raise UserError(f"{scored.path}: no scores of {order} clips: {AGAIN}")
    return scored.scores[order]
