"""The near-duplicates between two prepared datasets, searched once and kept in a file.

DATASET/duplicates/OTHER.parquet lists the training clips of DATASET that show what a tested clip of OTHER does. It is
made again when a manifest or fingerprints of the two have changed.
"""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.common.files.atomic import atomic
from multitrain.data.duplicates.fingerprints import NAME, read_fingerprints
from multitrain.data.duplicates.matching import find_matches
from multitrain.data.manifest import Manifest, read_manifest

__all__ = ["TESTED", "near_duplicates"]

VERSION = 1  # of fingerprints and limits; a higher one searches again
TESTED = ("test", "val")  # test gives the scores, val decides choices
PAIRS = pa.schema(
    [
        pa.field("train_clip", pa.string()),  # each once, with its nearest tested clip
        pa.field("test_clip", pa.string()),
        pa.field("test_split", pa.string()),  # one of TESTED
        pa.field("distance", pa.float64()),  # 0: the same pixels, 1: the limit
        pa.field("mirrored", pa.bool_()),
    ]
)
COLUMNS = ("clip_id",)


def near_duplicates(trained: Path, tested: Path) -> pa.Table:
    """The training clips (`PAIRS`) in the folder `trained` whose pixels a tested clip in the folder `tested` has too.

    Empty where one of the folders has no fingerprints, as from an earlier version.
    """
    path, stamp = trained / "duplicates" / f"{tested.name}.parquet", _stamp(trained, tested)
    if stamp is None:
        return PAIRS.empty_table()
    with suppress(pa.ArrowInvalid, OSError):
        kept = pq.read_table(path)
        if (kept.schema.metadata or {}).get(b"stamp") == stamp:
            return kept
    table = _search(trained, tested).replace_schema_metadata({"stamp": stamp})
    with suppress(OSError), atomic(path) as temporary:  # a folder that cannot be written is searched again each time
        pq.write_table(table, temporary)
    return table


def _stamp(*folders: Path) -> bytes | None:
    """Times and sizes of what the list is made of; None where something is missing."""
    files = [folder / name for folder in folders for name in (NAME, "manifest.parquet")]
    try:
        states = [path.stat() for path in files]
    except OSError:
        return None
    return json.dumps([VERSION, *((state.st_mtime_ns, state.st_size) for state in states)]).encode()


def _search(trained: Path, tested: Path) -> pa.Table:
    first, second = read_fingerprints(trained / NAME), read_fingerprints(tested / NAME)
    if first is None or second is None:
        return PAIRS.empty_table()
    clips = read_manifest(tested / "manifest.parquet", COLUMNS)
    splits = {name: split for split in TESTED for name in _ids(clips.split(split))}
    first = first.of(_ids(read_manifest(trained / "manifest.parquet", COLUMNS).split("train")))
    second = second.of(splits)
    found = find_matches(first.films, second.films)
    order = np.lexsort((found.second, found.distance, found.first))
    nearest = order[np.unique(found.first[order], return_index=True)[1]]
    names = second.clip_ids[found.second[nearest]].tolist()
    columns = [first.clip_ids[found.first[nearest]].tolist(), names, [splits[name] for name in names]]
    return pa.table([*columns, found.distance[nearest], found.mirrored[nearest]], schema=PAIRS)


def _ids(clips: Manifest) -> list[str]:
    return clips.table["clip_id"].to_pylist()
