"""Training and evaluation of one point of the sweep with one seed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import torch

from multitrain.common.files.atomic import atomic
from multitrain.common.ranks import ranks, top
from multitrain.common.records.predictions import predictions_path
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.planning.sweep_points import Point

__all__ = ["run_point"]

COLUMNS = ("run", "dataset", "clip_id", "video_id", "right")


def run_point(point: Point, seed: int, data: Path, home: Path, device: torch.device, workers: int = 0) -> None:
    """Train and evaluate every run of a point, and write <home>/<point>/seed<seed>.parquet.

    The table has a row for each test clip and run: whether Y_k is right. The runs' own files are in
    <home>/<point>/runs. After an interruption it resumes: finished runs are kept.
    """
    folder, parts = home / point.name, []
    for name, run in point.experiments.runs.items():
        job = Job(point.scale, point.experiments, name, seed, data, folder)
        train(job, device, workers)
        if run.steps_of is None and len(run.datasets) == 1:
            continue  # initial weights of the others
        for dataset in run.datasets:
            out = predictions_path(job.folder, dataset)
            evaluate(job, dataset, "test", out, device, workers)
            parts.append(_answers(name, dataset, out))
    with atomic(folder / f"seed{seed}.parquet") as temporary:
        pq.write_table(pa.concat_tables(parts), temporary)


def _answers(run: str, dataset: str, path: Path) -> pa.Table:
    table = pq.read_table(path)
    scores = pa.compute.list_flatten(table["scores"]).to_numpy().reshape(len(table), -1)  # (N, C)
    right = top(1, ranks(scores, table["label"].to_numpy())).astype(bool)
    columns = [[run] * len(table), [dataset] * len(table), table["clip_id"], table["video_id"], right]
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))
