"""Training clips that a run leaves out, as far as the manifests that are there tell, for the plan of the workflow.

A training depends on which clips it leaves out, not on the names of the datasets these were found in: another run in
the experiments makes more test sets to compare with, and most of them share no video.
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
    """`3 clips, 4c9f...`: the training clips of `dataset` whose videos the datasets `tested` test; "" for none.

    `data` has a folder a scale. A manifest that is not there yet, or cannot be read, counts as without such videos:
    the training waits for it, and Snakemake asks again when it has been made.
    """
    folders = (scale.clips_folder(name, data, world) for name in (dataset, *tested))
    clips, *others = (_read(folder / "manifest.parquet") for folder in folders)
    found = {name: manifest for name, manifest in zip(tested, others, strict=True) if manifest}
    if clips is None or not found:
        return ""
    train = clips.split("train")
    kept = without_leaks(scale, dataset, train, found)
    if kept is train:
        return ""
    left_out = pc.invert(pc.is_in(train.table["clip_id"], value_set=kept.table["clip_id"]))
    ids = sorted(train.table["clip_id"].filter(left_out).to_pylist())
    digest = hashlib.sha256("\0".join(ids).encode()).hexdigest()
    return f"{len(ids)} clips, {digest[:16]}"


def _read(path: Path) -> Manifest | None:
    try:
        state = path.stat()
        return _manifest(path, state.st_mtime_ns, state.st_size)
    except (OSError, UserError):
        return None


@lru_cache
def _manifest(path: Path, changed: int, size: int) -> Manifest:
    """Read once for all runs; a manifest that was made anew has another time or size."""
    return read_manifest(path, ["clip_id", "video_id"])
