"""Predictions of a run on the clips of one split (predictions/<dataset>.parquet): a row a clip.

A packed study keeps the rank of a clip's own class in place of its scores; both forms are read alike.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.ranks import ranks

__all__ = [
    "SAME_MANIFEST",
    "Predictions",
    "matrix",
    "predictions_path",
    "read_predictions",
    "read_scores",
    "require_same_clips",
    "require_same_forms",
    "write_columns",
    "write_predictions",
]

SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # softmax of Y_k, mean over views
        pa.field("scores_projected", pa.list_(pa.float32())),  # the same of Y'_k (Eq. 4); null without projections
        pa.field("views", pa.int16(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),  # the manifest's; clips cut from one video share it
    ]
)
TAKEN = ("clip_id", "video_id", "label")
FORMS = {"scores": "rank", "scores_projected": "rank_projected"}  # by Y_k and by Y'_k; a packed study has ranks alone
SAME_MANIFEST = "evaluate both on the same manifest"


def predictions_path(run: Path, dataset: str, split: str = "test") -> Path:
    """Where the predictions of a run and seed on a split are, in the folder of that run and seed."""
    return run / ("predictions" if split == "test" else f"predictions_{split}") / f"{dataset}.parquet"


class Tested(Protocol):
    """Results of one or more seeds of a run on N clips."""

    @property
    def path(self) -> Path | str: ...
    @property
    def clip_ids(self) -> np.ndarray: ...  # (N,)
    @property
    def videos(self) -> np.ndarray: ...  # (N,), the video that each clip is cut from
    @property
    def labels(self) -> np.ndarray: ...  # (N,)


class TestedForms(Tested, Protocol):
    """Results by Y_k and, where the run has an added projection, by Y'_k."""

    @property
    def projected(self) -> np.ndarray | None: ...


@dataclass(frozen=True)
class Predictions:
    """Ranks of the own class of one run's test clips of one dataset, by Y_k and by Y'_k."""

    path: Path
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,), the video that each clip is cut from
    labels: np.ndarray  # (N,)
    rank: np.ndarray  # (N,), of the own class by Y_k, the dataset's own head; 0 for the best
    projected: np.ndarray | None  # (N,), the same by Eq. 4's sum, Y'_k; None where the run has no added projection
    classes: tuple[str, ...] = ()  # names by label; empty where the file has none


def write_predictions(path: Path, rows: Iterable[Sequence[object]], classes: Sequence[str]) -> None:
    """Write rows of the columns of SCHEMA; the class names by label go into the file's metadata."""
    columns = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    write_columns(path, pa.Table.from_pylist(columns, schema=SCHEMA), classes)


def write_columns(path: Path, table: pa.Table, classes: Sequence[str]) -> None:
    """Write columns as they are, those of SCHEMA or the ranks of a packed study."""
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata({"classes": json.dumps(classes)}), temporary)


def require_same_clips(results: Sequence[Tested], cure: str = SAME_MANIFEST) -> None:
    """Check that results are of the same clips in the same order, as a paired comparison takes them.

    Raises:
        UserError: two are not; it names both.
    """
    for other in results[1:]:
        first = results[0]
        pairs = ((getattr(each, name) for each in (first, other)) for name in ("clip_ids", "videos", "labels"))
        if not all(np.array_equal(*pair) for pair in pairs):
            raise UserError(f"{other.path}: not the clips of {first.path}: {cure}")


def require_same_forms(results: Sequence[TestedForms]) -> None:
    """Check that results are of the same clips, and all or none of them by Y'_k as well.

    Raises:
        UserError: two are not; it names both.
    """
    require_same_clips(results)
    for other in results[1:]:
        first = results[0]
        if (first.projected is None) != (other.projected is None):
            raise UserError(f"{other.path}: unlike {first.path} as to projections: train and evaluate both again")


def read_predictions(path: Path) -> Predictions:
    """Read one predictions file, or raise a UserError that says what is wrong with it."""
    if not path.is_file():
        raise UserError(f"{path}: no such predictions: run `multitrain evaluate` for this run and dataset first")
    table = read_columns(path)
    labels = table["label"].to_numpy()
    own, projected = (_ranks(path, table, name, labels) for name in FORMS)
    if own is None:
        raise UserError(f"{path}: clips without scores: evaluate the run again")
    clips, videos = (table[name].to_numpy() for name in ("clip_id", "video_id"))
    return Predictions(path, clips, videos, labels, own, projected, _classes(path, table))


def read_scores(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Probabilities (N, K) by Y_k, and by Y'_k where the run has an added projection, in the order of the clips.

    Raises:
        UserError: no such predictions, damaged ones, or ranks alone, as a packed study has them.
    """
    table = read_columns(path)
    if missing := [name for name in FORMS if name not in table.column_names]:
        raise UserError(f"{path}: ranks without {missing[0]}, as packed studies have them: evaluate the run again")
    own, projected = (None if table[name].null_count else matrix(path, table[name]) for name in FORMS)
    if own is None:
        raise UserError(f"{path}: clips without scores: evaluate the run again")
    return own, projected


def read_columns(path: Path) -> pa.Table:
    """The columns of a predictions file: TAKEN, and those of FORMS that it has."""
    try:
        there = pq.read_schema(path).names
        forms = [name if name in there else FORMS[name] for name in FORMS]
        if missing := sorted({*TAKEN, *forms} - set(there)):
            raise UserError(f"{path}: not a readable predictions file (no {missing[0]}): evaluate the run again")
        table = pq.read_table(path, columns=[*TAKEN, *forms]).combine_chunks()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable predictions file ({error}): evaluate the run again") from None
    if not table.num_rows:
        raise UserError(f"{path}: no clips: the dataset's test split is empty")
    return table


def _ranks(path: Path, table: pa.Table, name: str, labels: np.ndarray) -> np.ndarray | None:
    """Ranks (N,) by one form of scores; None where no clip has any."""
    column = table[name if name in table.column_names else FORMS[name]]
    if column.null_count == len(column):
        return None
    if column.null_count:
        raise UserError(f"{path}: projected scores for some clips only: evaluate the run again")
    if not pa.types.is_list(column.type):
        return column.to_numpy().astype(np.int64)
    scores = matrix(path, column)
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise UserError(f"{path}: labels beyond its {scores.shape[1]} classes: evaluate the run again")
    try:
        return ranks(scores, labels)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _classes(path: Path, table: pa.Table) -> tuple[str, ...]:
    """The names in the file's metadata, one a class that is scored."""
    text = (table.schema.metadata or {}).get(b"classes")
    if text is None:
        return ()
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    scored = pc.list_value_length(table["scores"])[0].as_py() if "scores" in table.column_names else None
    if (
        not isinstance(names, list)
        or len(names) != (scored or len(names))
        or not all(isinstance(n, str) for n in names)
    ):
        raise UserError(f"{path}: its class names are not {scored} texts: evaluate the run again")
    return tuple(names)


def matrix(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """A column of scores (N, K), or a UserError where its rows differ in length."""
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise UserError(f"{path}: its clips have {lengths} scores: evaluate the run again")
    return pc.list_flatten(column).to_numpy().reshape(-1, lengths[0])  # (N, K)
