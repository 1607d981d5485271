"""What runs leave behind for analysis: predictions, a record and the scale's costs."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from multitrain.errors import UserError


@dataclass(frozen=True)
class Predictions:
    """Scores of one run's test clips of one dataset, K classes."""

    path: Path
    clip_ids: np.ndarray  # (N,)
    labels: np.ndarray  # (N,)
    scores: np.ndarray  # (N, K), of the dataset's own head, Y_k
    projected: np.ndarray | None  # (N, K), of Eq. 4, Y'_k; None where the run has no added projection
    classes: tuple[str, ...] = ()  # names by label; empty where the file has none


def read_predictions(path: Path) -> Predictions:
    """Read one predictions file, or raise a UserError that says what is wrong with it."""
    if not path.is_file():
        raise UserError(f"{path}: no such predictions: run `multitrain evaluate` for this run and dataset first")
    try:
        table = pq.read_table(path, columns=["clip_id", "label", "scores", "scores_projected"]).combine_chunks()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable predictions file ({error}): evaluate the run again") from None
    if not table.num_rows:
        raise UserError(f"{path}: no clips: the dataset's test split is empty")
    scores = _matrix(path, table["scores"])
    unprojected = table["scores_projected"].null_count
    if unprojected not in (0, table.num_rows):
        raise UserError(f"{path}: projected scores for some clips only: evaluate the run again")
    projected = None if unprojected else _matrix(path, table["scores_projected"])
    labels = table["label"].to_numpy()
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise UserError(f"{path}: labels beyond its {scores.shape[1]} classes: evaluate the run again")
    return Predictions(path, table["clip_id"].to_numpy(), labels, scores, projected, _classes(path, table, scores))


def _classes(path: Path, table: pa.Table, scores: np.ndarray) -> tuple[str, ...]:
    """The names in the file's metadata, one a column of the scores (N, K)."""
    text = (table.schema.metadata or {}).get(b"classes")
    if text is None:
        return ()
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) != scores.shape[1] or not all(isinstance(n, str) for n in names):
        raise UserError(f"{path}: its class names are not {scores.shape[1]} texts: evaluate the run again")
    return tuple(names)


def read_json(path: Path, what: str) -> object:
    """The content of a JSON file that another command wrote, or a UserError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {what} writes it") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}): {what} writes it anew") from None


def _matrix(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise UserError(f"{path}: its clips have {lengths} scores: evaluate the run again")
    return pc.list_flatten(column).to_numpy().reshape(-1, lengths[0])  # (N, K)
