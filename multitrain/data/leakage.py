"""Leakage: videos that a dataset of a run trains on and that one, itself or another, is tested on.

Videos are compared by YouTube id where publishers name them so: Kinetics, ActivityNet, the files yt-{id}_{n} of Moments
in Time, and path-label lists of such files. Other ids are compared within one publisher's datasets only.
Clips of any two datasets are compared by their pixels as well, where prepared clips have fingerprints.
Manifests may have a million rows, which stay Arrow columns.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.data.duplicates.listed import TESTED, near_duplicates
from multitrain.data.manifest import Manifest

__all__ = ["EVIDENCE", "datasets_tested_by", "leaks", "leaks_of_runs", "trained_on", "unguarded", "without_leaks"]

YOUTUBE = {  # by reader: the YouTube id within a video's id
    "kinetics": r"^(?P<id>.{11})",
    "activitynet": r"^(?P<id>.{11})",
    "mit": r"^yt-(?P<id>[0-9A-Za-z_-]{11})_[0-9]+$",
    "list": r"^v_(?P<id>[0-9A-Za-z_-]{11})$",
    "folder": r"^v_(?P<id>[0-9A-Za-z_-]{11})$",
}
LEAKS = pa.schema(
    [
        pa.field("train_dataset", pa.string()),
        pa.field("test_dataset", pa.string()),
        pa.field("test_split", pa.string()),  # one of TESTED
        pa.field("video_id", pa.string()),  # the part that both datasets share
        pa.field("train_clips", pa.int64()),  # clips of that video
        pa.field("test_clips", pa.int64()),
        pa.field("distance", pa.float64()),  # of the pixels, 1: the limit; null where the ids are equal
        pa.field("train_path", pa.string()),  # of the two clips of that distance, from the folder of the datasets
        pa.field("test_path", pa.string()),
    ]
)
EVIDENCE = LEAKS.names[6:]  # of clips that were found by their pixels


def video_keys(scale: Scale, dataset: str, manifest: Manifest) -> pa.ChunkedArray:
    """The key `publisher:id` of each clip's source video, equal for the same video in all datasets."""
    ids, reader = manifest.table["video_id"], scale.dataset(dataset).reader
    own = pc.binary_join_element_wise(dataset if reader in ("list", "folder") else reader, ids, ":")
    if reader not in YOUTUBE:
        return own
    youtube = pc.struct_field(pc.extract_regex(ids, YOUTUBE[reader]), "id")
    return pc.coalesce(pc.binary_join_element_wise("youtube", youtube, ":"), own)


def comparable(scale: Scale, one: str, other: str) -> bool:
    """Whether keys of both datasets can be compared."""
    first, second = (scale.dataset(name).reader for name in (one, other))
    return first == second or (first in YOUTUBE and second in YOUTUBE)


def leaks(scale: Scale, manifests: Mapping[str, Manifest]) -> pa.Table:
    """A row (`LEAKS`) a video in the training split of a dataset and in a tested one of the same or another, sorted."""
    trained = {name: _counts(scale, name, manifest.split("train"), "train") for name, manifest in manifests.items()}
    tables = [LEAKS.empty_table()]
    for test, manifest in manifests.items():
        for split in TESTED:
            tested = _counts(scale, test, manifest.split(split), "test")
            for train in manifests:
                if comparable(scale, train, test):
                    both = trained[train].join(tested, "key", join_type="inner")
                    tables.append(_rows(both, train, test, split))
    tables += [_by_pixels(scale, manifests, train, test) for train in manifests for test in manifests]
    order = ("train_dataset", "test_dataset", "test_split", "video_id", "train_path")
    return pa.concat_tables(tables).sort_by([(name, "ascending") for name in order])


def _by_pixels(scale: Scale, manifests: Mapping[str, Manifest], train: str, test: str) -> pa.Table:
    """A row (`LEAKS`) a training clip that shows what a tested clip does, and whose id does not say so."""
    pairs = near_duplicates(manifests[train].folder, manifests[test].folder)
    if not len(pairs):
        return LEAKS.empty_table()
    unseen = _without_ids(scale, train, manifests[train].split("train"), {test: manifests[test]}).table["clip_id"]
    pairs = pairs.filter(pc.is_in(pairs["train_clip"], value_set=unseen)).to_pylist()
    trained, tested = (
        {row["clip_id"]: row for row in clips.filter(pc.is_in(clips["clip_id"], value_set=pa.array(named))).to_pylist()}
        for clips, named in (
            (manifests[train].table, [pair["train_clip"] for pair in pairs]),
            (manifests[test].table, [pair["test_clip"] for pair in pairs]),
        )
    )
    rows = []
    for pair in pairs:
        one, other = trained[pair["train_clip"]], tested[pair["test_clip"]]
        paths = (f"{name}/{row['path']}" for name, row in ((train, one), (test, other)))
        rows.append([train, test, pair["test_split"], one["video_id"], 1, 1, round(pair["distance"], 3), *paths])
    return pa.Table.from_pylist([dict(zip(LEAKS.names, row, strict=True)) for row in rows], schema=LEAKS)


def _counts(scale: Scale, dataset: str, clips: Manifest, prefix: str) -> pa.Table:
    """Number of clips of each video: columns key and {prefix}_clips."""
    table = pa.table({"key": video_keys(scale, dataset, clips)})
    return table.group_by("key").aggregate([([], "count_all")]).rename_columns(["key", f"{prefix}_clips"])


def _rows(both: pa.Table, train: str, test: str, split: str) -> pa.Table:
    count = both.num_rows
    ids = pc.struct_field(pc.extract_regex(both["key"], r"^[^:]*:(?P<id>(?s:.*))$"), "id")
    columns = [pa.array([text] * count, pa.string()) for text in (train, test, split)]
    evidence = [pa.nulls(count, LEAKS.field(name).type) for name in EVIDENCE]
    return pa.table([*columns, ids, both["train_clips"], both["test_clips"], *evidence], schema=LEAKS)


def trained_on(experiments: Experiments, run: str) -> tuple[tuple[str, str], ...]:
    """(run, dataset) of all training of a run's weights: its own, then that of the runs it starts from."""
    pairs: list[tuple[str, str]] = []
    name: str | None = run
    while name is not None:
        settings = experiments.run(name)
        pairs += [(name, dataset) for dataset in settings.datasets]
        name = settings.init
    return tuple(pairs)


def datasets_tested_by(scale: Scale, experiments: Experiments, run: str, dataset: str) -> tuple[str, ...]:
    """The datasets whose tested videos must not be among a run's training clips of `dataset`.

    The run, or a run that starts from its weights and that a table asks for, is tested on them; in the scale's order,
    `dataset` itself among them. A synthetic dataset has each video once and shares none with another synthetic one, so
    these depend on none.
    """
    others = dict.fromkeys((run, *experiments.asked_runs()))
    successors = (other for other in others if any(trainer == run for trainer, _ in trained_on(experiments, other)))
    return _may_share(scale, dataset, {name for other in successors for name in experiments.run(other).datasets})


def unguarded(scale: Scale, experiments: Experiments, run: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(trainer, dataset, datasets) of the runs that a run starts from: what it is tested on, and they did not exclude.

    Empty for runs that a table asks for: those that they start from exclude their tested videos.
    """
    found = []
    for trainer, dataset in trained_on(experiments, run):
        tested = _may_share(scale, dataset, set(experiments.run(run).datasets))
        excluded = datasets_tested_by(scale, experiments, trainer, dataset)
        if missed := tuple(name for name in tested if name not in excluded):
            found.append((trainer, dataset, missed))
    return found


def _may_share(scale: Scale, dataset: str, tested: set[str]) -> tuple[str, ...]:
    """Those of the tested datasets that can share videos with `dataset`, in the scale's order."""
    synthetic = scale.synthetic(dataset)
    others = (name for name in scale.datasets if not (synthetic and scale.synthetic(name)))
    return tuple(name for name in others if name in tested)


def without_leaks(scale: Scale, dataset: str, clips: Manifest, tested: Mapping[str, Manifest]) -> Manifest:
    """Training clips of `dataset` without those that a tested split of the manifests in `tested` has, by id or pixels.

    Test sets stay the publishers'. Without a leak, `clips` itself is returned.
    """
    kept = _without_ids(scale, dataset, clips, tested)
    found = [near_duplicates(clips.folder, manifest.folder)["train_clip"] for manifest in tested.values()]
    leaked = pa.concat_arrays([chunk for column in found for chunk in column.chunks] or [pa.array([], pa.string())])
    return _without(kept, pc.is_in(kept.table["clip_id"], value_set=leaked)) if len(leaked) else kept


def _without_ids(scale: Scale, dataset: str, clips: Manifest, tested: Mapping[str, Manifest]) -> Manifest:
    keys = [
        video_keys(scale, name, manifest.split(split))
        for name, manifest in tested.items()
        if comparable(scale, dataset, name)
        for split in TESTED
    ]
    values = pa.concat_arrays([chunk for column in keys for chunk in column.chunks] or [pa.array([], pa.string())])
    return _without(clips, pc.is_in(video_keys(scale, dataset, clips), value_set=values))


def _without(clips: Manifest, leaked: pa.ChunkedArray) -> Manifest:
    """The clips that are not marked as leaked, or `clips` itself."""
    if not pc.any(leaked).as_py():
        return clips
    kept = pc.invert(leaked)
    columns = [column.filter(kept) for column in clips.table.columns]  # faster than Table.filter
    return Manifest(clips.folder, clips.classes, pa.table(columns, schema=clips.table.schema))


def leaks_of_runs(experiments: Experiments, table: pa.Table) -> pa.Table:
    """The leaks of each run, with the run that trained on them: itself or one that its initial weights are from.

    A leak is of a run that is tested on one dataset, and trained, itself or its initial weights, on the other.
    """
    pairs = [
        (run, trainer, train, test)
        for run, settings in experiments.runs.items()
        for trainer, train in trained_on(experiments, run)
        for test in settings.datasets
    ]
    schema = pa.schema([pa.field("run", pa.string()), pa.field("trained_by", pa.string()), *LEAKS])
    tables = [schema.empty_table()]
    for run, trainer, train, test in pairs:
        mask = pc.and_(pc.equal(table["train_dataset"], train), pc.equal(table["test_dataset"], test))
        rows = table.filter(mask)
        names = [pa.array([name] * rows.num_rows, pa.string()) for name in (run, trainer)]
        tables.append(pa.table([*names, *rows.columns], schema=schema))
    return pa.concat_tables(tables)
