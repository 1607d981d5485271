"""The answers of a predictions file as a packed study holds them: ranks and the five best labels, without scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.packed.packed_study import ANSWERS
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import matrix, read_predictions

__all__ = ["answers"]

BEST = 5


def answers(path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """The clips of a predictions file as rows of ANSWERS, and the names of the classes."""
    found, table = read_predictions(path), pq.read_table(path)
    columns: dict[str, Any] = {"clip": found.clip_ids, "video": found.videos, "label": found.labels, "rank": found.rank}
    columns |= {"rank_projected": found.projected, "top5": _best(path, table, "top5", "scores")}
    columns["top5_projected"] = _best(path, table, "top5_projected", "scores_projected")
    if len(found.classes) >= 1 << 15:
        raise UserError(f"{path}: {len(found.classes)} classes: a packed study holds fewer than {1 << 15}")
    arrays = {
        each.name: pa.nulls(len(found.labels), each.type)
        if columns[each.name] is None
        else pa.array(columns[each.name]).cast(each.type)
        for each in ANSWERS
    }
    return pa.table(arrays, schema=ANSWERS), found.classes


def _best(path: Path, table: pa.Table, name: str, scores: str) -> pa.Array | None:
    """The labels of the best classes of each clip; of equal scores the first class. None where there are none."""
    if name in table.column_names:  # of a study that was packed before
        return table[name].combine_chunks()
    if table[scores].null_count:
        return None
    return pa.array(list(np.argsort(-matrix(path, table[scores]), axis=1, kind="stable")[:, :BEST].astype(np.int16)))
