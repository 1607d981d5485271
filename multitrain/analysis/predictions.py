"""What runs leave behind for analysis: predictions, a record and the scale's costs."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from multitrain.errors import UserError
from multitrain.ranks import ranks

TAKEN = ("clip_id", "video_id", "label")
FORMS = {"scores": "rank", "scores_projected": "rank_projected"}  # by Y_k and by Y'_k; a packed study has ranks alone


@dataclass(frozen=True)
class Predictions:
    """How one run's test clips of one dataset were answered, of K classes."""

    path: Path
    clip_ids: np.ndarray  # (N,)
    videos: np.ndarray  # (N,), the video that each clip is cut from
    labels: np.ndarray  # (N,)
    rank: np.ndarray  # (N,), of the own class by Y_k, the dataset's own head; 0 for the best
    projected: np.ndarray | None  # (N,), the same by Eq. 4's sum, Y'_k; None where the run has no added projection
    classes: tuple[str, ...] = ()  # names by label; empty where the file has none


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


def read_json(path: Path, what: str) -> object:
    """The content of a JSON file that another command wrote, or a UserError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {what} writes it") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}): {what} writes it anew") from None


def matrix(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """A column of scores (N, K), or a UserError where its rows differ in length."""
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise UserError(f"{path}: its clips have {lengths} scores: evaluate the run again")
    return pc.list_flatten(column).to_numpy().reshape(-1, lengths[0])  # (N, K)
