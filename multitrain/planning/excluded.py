"""A summary of the training clips that a run leaves out, for the plan of the workflow.

A training depends on the clips that it leaves out, not on the datasets whose test videos exclude them. Another run in
the experiments adds datasets to compare with, and most of these share no video.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import pyarrow.compute as pc

from multitrain.common.errors import UserError
from multitrain.config.scale import Scale
from multitrain.data.leakage import without_leaks
from multitrain.data.manifest import Manifest, read_manifest

__all__ = ["excluded"]


def excluded(scale: Scale, dataset: str, tested: tuple[str, ...], data: Path, world: int = 0) -> str:
    """`3 clips, 4c9f...`: number and hash of the training clips of `dataset` in the test videos of `tested`, or "".

    `data` contains a folder for each scale. A manifest that is missing or unreadable counts as one without shared
    videos: the training waits for it, and Snakemake calls this function again when it has been written.
    """
    folders = (scale.clips_folder(name, data, world) for name in (dataset, *tested))
    clips, *others = (_read(folder / "manifest.parquet") for folder in folders)
    compared = {name: manifest for name, manifest in zip(tested, others, strict=True) if manifest}
    if clips is None or not compared:
        return ""
    train = clips.split("train")
    kept = without_leaks(scale, dataset, train, compared)
    if kept is train:
        return ""
    left_out = pc.invert(pc.is_in(train.table["clip_id"], value_set=kept.table["clip_id"]))
    ids = sorted(train.table["clip_id"].filter(left_out).to_pylist())
    digest = hashlib.sha256("\0".join(ids).encode()).hexdigest()
    return f"{len(ids)} clips, {digest[:16]}"


def _read(path: Path) -> Manifest | None:
    """A manifest; None if it is missing or unreadable."""
    try:
        status = path.stat()
        return _manifest(path, status.st_mtime_ns, status.st_size)
    except (OSError, UserError):
        return None


@lru_cache
def _manifest(path: Path, changed: int, size: int) -> Manifest:
    """Cached for all runs; a manifest that was written again has another time or size."""
    return read_manifest(path, ["clip_id", "video_id"])
