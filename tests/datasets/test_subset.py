"""A fraction of a dataset: stratified, seeded, by video, in every split, drawn from the annotation alone."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.config.scale import Download
from multitrain.datasets.formats import activitynet as activitynet_reader
from multitrain.datasets.preparation_status import status
from multitrain.datasets.prepare import prepare
from multitrain.datasets.publication import AnnotatedClip, Batch, Member, Publication
from multitrain.datasets.subset import draw_subset
from tests.csv_rows import csv_rows
from tests.datasets.raw import (
    HEADER,
    activitynet,
    dataset,
    entry,
    kinetics_name,
    path_lists,
    put,
    put_zip,
    ssv2_archive,
    ssv2_pieces,
    tar_bytes,
)

SPLITS = ("train", "val")
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1)
PARTS = st.floats(0.001, 1)


def publication(counts: dict[str, int], pieces: int = 2, lost: int = 0) -> Publication:
    """`counts` videos a class and split, each cut into pieces, and `lost` videos without a usable segment."""
    clips = [
        AnnotatedClip(
            f"{split}{label}{i}_{piece}", f"{label}{i}", split, split, label, None, None, f"{split}{label}{i}"
        )
        for split in SPLITS
        for label, count in counts.items()
        for i in range(count)
        for piece in range(pieces)
    ]
    missing = [
        AnnotatedClip(f"lost{i}", f"lost{i}", "train", "train", "", None, None, f"lost{i}").missing("no label", "")
        for i in range(lost)
    ]
    return Publication(tuple(sorted(counts)), tuple(clips), tuple(missing), ())


def videos(drawn: Publication, split: str, label: str) -> set[str]:
    return {clip.video_id for clip in drawn.clips if (clip.split, clip.label) == (split, label)}


@given(COUNTS, PARTS, st.integers(0, 5))
def test_that_fraction_of_each_class_in_every_split_and_all_clips_of_a_video(counts, fraction, seed):
    drawn = draw_subset(publication(counts), fraction, seed).publication
    for split in SPLITS:
        for label, count in counts.items():
            taken = len(videos(drawn, split, label))
            assert taken == max(1, int(fraction * count + 0.5))
    assert set(Counter((clip.split, clip.video_id) for clip in drawn.clips).values()) == {2}


@given(COUNTS, PARTS, PARTS, st.booleans())
def test_a_larger_fraction_contains_the_smaller(counts, one, other, two_classes):
    whole = publication(counts, lost=7)
    if two_classes:  # some videos once more, under a class that no video counts for
        some = [clip for clip in whole.clips if clip.video_id.endswith("0")]
        again = [AnnotatedClip(f"{c.clip_id}z", c.video_id, c.split, c.split, "z", None, None, c.key) for c in some]
        whole = Publication((*whole.classes, "z"), (*whole.clips, *again), whole.missing, ())
    less, more = (draw_subset(whole, part, 0).publication for part in sorted((one, other)))
    assert {clip.clip_id for clip in less.clips} <= {clip.clip_id for clip in more.clips}
    assert {line.clip_id for line in less.missing} <= {line.clip_id for line in more.missing}
    for drawn in (less, more):
        assert {(c.split, c.label) for c in drawn.clips} == {(c.split, c.label) for c in whole.clips}


def test_nothing_is_counted_twice_or_not_at_all():
    whole = publication({"a": 10, "b": 5}, lost=10)
    drawn = draw_subset(whole, 0.3, 0)
    for split in SPLITS:
        listed = [row for row in (*whole.clips, *whole.missing) if row.publisher_split == split]
        kept = [row for row in (*drawn.publication.clips, *drawn.publication.missing) if row.publisher_split == split]
        assert len(kept) + drawn.left_out[split] == len(listed)
    assert len(drawn.publication.missing) == 3


def test_neither_order_nor_other_videos_matter():
    whole = publication({"a": 20, "b": 9})
    drawn = draw_subset(whole, 0.3, 0).publication
    shuffled = list(whole.clips)
    random.Random(1).shuffle(shuffled)
    again = draw_subset(Publication(whole.classes, tuple(shuffled), (), ()), 0.3, 0).publication
    assert {clip.clip_id for clip in again.clips} == {clip.clip_id for clip in drawn.clips}
    alone = draw_subset(publication({"a": 20}), 0.3, 0).publication
    assert all(videos(alone, split, "a") == videos(drawn, split, "a") for split in SPLITS)
    assert draw_subset(whole, 0.3, 1).publication.clips != drawn.clips


def test_the_whole_is_the_publication_itself():
    whole = publication({"a": 3}, lost=2)
    drawn = draw_subset(whole, 1.0, 0)
    assert drawn.publication is whole and not drawn.left_out


def test_only_drawn_videos_are_asked_of_a_batch_that_fetches():
    whole = publication({"a": 10})
    asked: list[set[str]] = []

    def only(keys: set[str]) -> list[Member]:
        asked.append(keys)
        return []

    whole = Publication(whole.classes, whole.clips, (), (Batch("v", lambda: iter(()), only=only),))
    drawn = draw_subset(whole, 0.2, 0).publication
    list(drawn.batches[0].members())
    assert asked == [{clip.key for clip in drawn.clips}] and len(asked[0]) == 4


def many_kinetics(raw: Path, video: bytes) -> Path:
    for split, count in (("train", 6), ("val", 4)):
        names = [f"{split:_<9}{i:02d}" for i in range(count)]
        rows = [f"{'ab'[i % 2]},{name},417,427,{split},0" for i, name in enumerate(names)]
        put(raw / "annotations" / f"{split}.csv", HEADER + "\n".join(rows) + "\n")
        put(raw / split / "part_0.tar.gz", tar_bytes({f"{kinetics_name(name)}.mp4": video for name in names}))
    return raw


def many_activitynet(raw: Path, video: bytes) -> Path:
    subsets = ("training", "training", "training", "validation", "validation")
    database = {
        f"{label}{i}{subset}": entry(subset, (label, [0, 1.2]), (label, [1, 2.2]))
        for label in "ab"
        for i, subset in enumerate(subsets)
    }
    return activitynet(raw, video, {**database, "nothing": entry("training")})


def many_ssv2(raw: Path, video: bytes) -> Path:
    texts = {"labels": {"A": "0", "B": "1"}}
    texts["train"] = [{"id": str(i), "template": "AB"[i % 2]} for i in range(6)]
    texts["validation"] = [{"id": str(i), "template": "AB"[i % 2]} for i in range(6, 10)]
    ssv2_pieces(raw, ssv2_archive(video, tuple(map(str, range(10)))))
    put_zip(raw / "labels.zip", {f"labels/{name}.json": json.dumps(content) for name, content in texts.items()})
    return raw


def many_mit(raw: Path, video: bytes) -> Path:
    train, val = ([f"{'ab'[i % 2]}/{split}{i}.mp4" for i in range(n)] for split, n in (("t", 6), ("v", 4)))
    lines = [[f"{name},{name[0]},3,0" for name in names] for names in (train, val)]
    files = {"moments_categories.txt": "a,0\nb,1\n", "trainingSet.csv": "\n".join(lines[0])}
    files["validationSet.csv"] = "\n".join(lines[1])
    clips = [*(f"training/{name}" for name in train), *(f"validation/{name}" for name in val)]
    put_zip(raw / "Moments_in_Time_Raw.zip", files | dict.fromkeys(clips, video))
    return raw


def many_listed(raw: Path, video: bytes) -> Path:
    names = {split: [f"{split}{i}.mp4" for i in range(count)] for split, count in (("train", 6), ("val", 4))}
    for name in (*names["train"], *names["val"]):
        put(raw / "videos" / name, video)
    texts = {split: "".join(f"{name} {i % 2}\n" for i, name in enumerate(names[split])) for split in names}
    return path_lists(raw, **texts)


MANY = {
    "kinetics": many_kinetics,
    "activitynet": many_activitynet,
    "ssv2": many_ssv2,
    "mit": many_mit,
    "list": many_listed,
}


def annotated_rows(folder: Path) -> list[dict[str, int]]:
    return [{k: int(v) for k, v in row.items() if k != "publisher_split"} for row in csv_rows(folder / "annotated.csv")]


@pytest.mark.parametrize("reader", MANY)
def test_each_reader_prepares_its_fraction_and_more_of_it_later(raw, video, tmp_path, reader):
    values = {"classes_file": "classes.txt"} if reader == "list" else {"clip_seconds": 9}
    MANY[reader](raw, video)
    rows, out = {}, tmp_path / "out"
    for fraction in (0.4, 1.0, 0.4):
        settings = dataset(reader, fraction=fraction, holdout=0.34, **values)
        table = prepare(reader, settings, raw, out).table.to_pylist()
        made = {path.stem for path in (out / "videos").glob("*/*.mp4")}
        assert made == {row["clip_id"] for row in table}
        counted = annotated_rows(out)
        missing = len((out / "missing.csv").read_text().splitlines()) - 1
        assert sum(row["clips"] for row in counted) == len(table) + missing
        left_out = sum(row.get("not_in_fraction", 0) for row in counted)
        said = status(settings, raw, out).state
        if fraction == 1:
            assert said == "prepared" and "not_in_fraction" not in counted[0]
        else:
            assert said == f"prepared, fraction 0.4: {left_out} clips are not in it" and left_out > 0
            assert sum(row["clips"] for row in counted) + left_out == {"activitynet": 21}.get(reader, 10)
        rows.setdefault(fraction, []).append({(row["clip_id"], row["publisher_split"]) for row in table})
    assert rows[0.4][0] == rows[0.4][1] < rows[1.0][0]
    kept = Counter(split for _, split in rows[0.4][0])
    assert sorted(kept.values()) == ([4, 4] if reader == "activitynet" else [2, 2])


def test_status_says_what_is_asked_before_anything_is_there(tmp_path):
    assert status(dataset("mit", fraction=0.25), tmp_path / "raw", tmp_path).state == "not begun, fraction 0.25"


SCORED = {"scored00001": entry("validation", ("Zumba", [0, 1]))}


def test_no_video_outside_the_fraction_is_fetched(raw, video, tmp_path, monkeypatch):
    activitynet(raw, video, {f"{i:011d}": entry("training", ("Zumba", [0, 1])) for i in range(10)} | SCORED)
    asked = []
    files = {path.name: path.rename(tmp_path / path.name) for path in sorted((raw / "videos").iterdir())}

    def fetch(_videos, name, _entry):
        asked.append(name)
        return files[f"v_{name}.mp4"], ""

    monkeypatch.setattr(activitynet_reader.VideoDownloads, "__init__", lambda *_: None)
    monkeypatch.setattr(activitynet_reader.VideoDownloads, "fetch", fetch)
    settings = dataset("activitynet", fraction=0.3, download=Download(videos=True))
    manifest = prepare("actnet", settings, raw, tmp_path / "out")
    assert sorted(asked) == sorted(manifest.table["video_id"].to_pylist()) and len(asked) == 4
