"""Temporal probe: scores of clips as they are, as one still frame, with shuffled frames, and reversed.

Static clips measure appearance alone; shuffled ones motion without its order; reversed ones the direction of time.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from einops import rearrange
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.progress import progress
from multitrain.common.seeding import generator
from multitrain.config import kernels
from multitrain.data.clips import Source, ViewClips
from multitrain.data.loader import view_batches
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.engine.evaluate import VIEWS_AT_ONCE, view_scores
from multitrain.engine.setup import Job
from multitrain.model.network import Network, normalise

__all__ = ["ORDERS", "write_temporal"]

ORDERS = ("whole", "static", "shuffled", "reversed")


def places(order: str, frames: int, clip_id: str) -> np.ndarray:
    """Frame indices (T,) of a clip in one of ORDERS; the clip's id seeds the shuffle."""
    whole = np.arange(frames)
    if order == "static":
        return np.full(frames, frames // 2)
    if order == "reversed":
        return whole[::-1].copy()
    if order == "shuffled" and frames > 1:
        rng = generator(0, "shuffled", clip_id)
        while (drawn := rng.permutation(frames)).tolist() == whole.tolist():
            pass
        return drawn
    return whole


def ordered(video: Tensor, clip_ids: tuple[str, ...], order: str) -> Tensor:
    """Views (B * V, 3, T, H, W) with the frames of each of B clips reordered, the same in all its V views."""
    if order == "whole":
        return video
    views = rearrange(video, "(b v) c t h w -> b v c t h w", b=len(clip_ids))
    shown = [view[:, :, places(order, video.shape[2], clip_id)] for view, clip_id in zip(views, clip_ids, strict=True)]
    return torch.cat(shown)  # (B * V, 3, T, H, W)


def write_temporal(
    job: Job,
    dataset: str,
    split: str,
    out: Path,
    device: torch.device,
    workers: int = 0,
    head: str | None = None,
    orders: tuple[str, ...] = ORDERS,
) -> None:
    """Score every clip of one split in each of `orders`: a row a clip, a column of scores (C,) an order, Y_k alone.

    With `head` the clips are scored by the head of another dataset, in their own dataset's test views. The file's
    metadata has the head's `classes` and the clips' `clip_classes`, which `label` indexes.

    Raises:
        UserError: the model was not trained on the head's dataset or on other classes, or a clip was not scored.
    """
    kernels.require_kernels(job.scale.machine)
    source, head = job.source(dataset, split), head or dataset
    network = _network(job, head, source if head == dataset else None).to(device)
    videos = _videos(source, split)
    clips = ViewClips([source], job.scale.model.frames, network.spec.size)
    each = source.settings.views.temporal * source.settings.views.spatial
    rows = []
    with torch.inference_mode(), progress(f"{job.name} on {dataset}", "clip", len(clips)) as bar:
        for batch in view_batches(clips, max(VIEWS_AT_ONCE // each, 1), workers):
            clips_of_batch = zip(
                batch.clip_ids, batch.label.tolist(), (videos[clip] for clip in batch.clip_ids), strict=True
            )
            columns = []
            for order in orders:
                shown = ordered(batch.video.to(device), batch.clip_ids, order)
                output = network(normalise(shown, network.spec.model.normalisation))
                columns.append(view_scores(network, output, head, each)[0].tolist())
            rows += [
                (*columns_of_clip, *scores) for columns_of_clip, *scores in zip(clips_of_batch, *columns, strict=True)
            ]
            bar.update(len(batch.clip_ids))
    if len({row[0] for row in rows}) != len(source):
        raise UserError(f"{out}: {len(rows)} clips scored of {len(source)} in the manifest: prepare {dataset} again")
    names = {"classes": list(network.spec.classes[head]), "clip_classes": list(source.classes)}
    _write(out, orders, rows, {name: json.dumps(value, ensure_ascii=False) for name, value in names.items()})


def _network(job: Job, head: str, source: Source | None) -> Network:
    """The run's network; its head must exist and, for clips of the same dataset, have their classes."""
    if head not in job.run.datasets:
        raise UserError(f"run {job.name} has no dataset {head!r}: it is trained on {', '.join(job.run.datasets)}")
    path = job.folder / "model.pt"
    network = load_network(path)
    if source is not None and network.spec.classes.get(head) != source.classes:
        raise UserError(f"{path}: its classes of {head} are not the manifest's: train the run again")
    return network


def _videos(source: Source, split: str) -> dict[str, str]:
    """The video's id of each clip, by clip id."""
    manifest = read_manifest(source.folder / "manifest.parquet", ["clip_id", "video_id"]).split(split)
    return dict(zip(*(manifest.table[name].to_pylist() for name in ("clip_id", "video_id")), strict=True))


def _write(out: Path, orders: tuple[str, ...], rows: list[tuple], metadata: dict[str, str]) -> None:
    schema = pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("label", pa.int32(), nullable=False),
            pa.field("video_id", pa.string(), nullable=False),
            *(pa.field(order, pa.list_(pa.float32()), nullable=False) for order in orders),
        ],
        metadata,
    )
    with atomic(out) as temporary:
        pq.write_table(pa.table(list(map(list, zip(*rows, strict=True))), schema=schema), temporary)
