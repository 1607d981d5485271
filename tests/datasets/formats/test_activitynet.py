import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.datasets.formats import activitynet
from multitrain.datasets.prepare import prepare
from tests.datasets.coded import codes
from tests.datasets.raw import activitynet as publish
from tests.datasets.raw import dataset, entry, missing_rows, put

DATASET = dataset("activitynet", clip_seconds=1.0)


def test_an_excerpt_as_published(raw, video, tmp_path):
    manifest = prepare("actnet", DATASET, publish(raw, video), tmp_path / "out")
    assert manifest.classes == ("Discus throw", "Zumba")
    rows = {row["clip_id"]: row for row in manifest.table.to_pylist()}
    told = {name: codes(tmp_path / "out" / row["path"]) for name, row in rows.items()}
    assert told == {
        "5n7NCViB5TU_000_00": list(range(3, 15)),
        "5n7NCViB5TU_000_01": list(range(15, 27)),
        "5n7NCViB5TU_001_00": list(range(6, 18)),
        "-_train0002_000_00": list(range(12)),
        "validation1_000_00": list(range(10)),
        "validation1_000_01": list(range(10, 20)),
        "validation1_000_02": list(range(20, 30)),
    }
    row = rows["5n7NCViB5TU_000_01"]
    assert (row["video_id"], row["split"], row["publisher_split"]) == ("5n7NCViB5TU", "train", "training")
    assert (row["start"], row["end"], row["label"]) == (1.25, 2.25, 0)
    assert rows["validation1_000_00"]["split"] == "test"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_any_container(raw, video, webm, tmp_path, suffix):
    publish(raw, webm if suffix == ".webm" else video, suffix=suffix)
    assert len(prepare("actnet", DATASET, raw, tmp_path / "out")) == 7


@given(st.floats(0, 1000), st.floats(0.1, 500), st.sampled_from([1, 3, 10.0]))
def test_pieces_cover_the_segment_and_none_is_too_long(start, length, longest):
    parts = activitynet.pieces(start, start + length, longest)
    assert len(parts) in (math.ceil(length / longest), math.ceil(length / longest - 2e-6) or 1)
    assert parts[0][0] == start and parts[-1][1] == start + length
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert all(end - begin <= longest * (1 + 1e-5) for begin, end in parts)
    assert max(e - b for b, e in parts) - min(e - b for b, e in parts) < 1e-6


@pytest.mark.parametrize(("length", "count"), [(10, 1), (10.01, 2), (20, 2), (0.1 + 0.2 + 29.7, 3), (3, 1)])
def test_the_number_of_pieces(length, count):
    assert len(activitynet.pieces(5, 5 + length, 10)) == count


def test_segments_against_the_end_of_the_file(raw, video, tmp_path):
    segments = [[1.5, 4.5], [7, 9], [2, 1], [1, 1], [-3, -1], [-1, 1], [1, 1.05], [0, 2.5]]
    database = {"abcdefghijk": entry("training", *[("Zumba", segment) for segment in segments])}
    database["to be scored"] = entry("validation", ("Zumba", [0, 1]))
    manifest = prepare("actnet", DATASET, publish(raw, video, database), tmp_path / "out")
    told = {row["clip_id"][12:]: codes(tmp_path / "out" / row["path"]) for row in manifest.table.to_pylist()}
    assert told["000_00"] == list(range(18, 30))
    assert told["005_01"] == list(range(12))
    assert [told[f"007_0{i}"] for i in range(3)] == [list(range(10 * i, 10 * i + 10)) for i in range(3)]
    reasons = {row["clip_id"][12:]: row["reason"] for row in missing_rows(tmp_path / "out")}
    assert reasons == {
        **dict.fromkeys(("000_01", "000_02", "001_00", "001_01", "002", "003", "004", "005_00"), "outside"),
        "006_00": "too short",
    }


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"segment": [0, 1]}, "no label"),
        ({"label": "", "segment": [0, 1]}, "no label"),
        ({"label": "Zumba"}, "outside"),
        ({"label": "Zumba", "segment": [1]}, "outside"),
        ({"label": "Zumba", "segment": ["a", "b"]}, "outside"),
        ({"label": "Zumba", "segment": [0, math.inf]}, "outside"),
        ({"label": "Zumba", "segment": [0, 1e12]}, "outside"),
        ("nonsense", "no label"),
    ],
)
def test_an_annotation_of_no_use_costs_only_itself(raw, video, annotation, reason):
    database = {"a": {"subset": "training", "annotations": [annotation, {"label": "Zumba", "segment": [0, 1]}]}}
    publication = activitynet.read(publish(raw, video, database), DATASET)
    assert [(line.clip_id, line.reason) for line in publication.missing] == [("a_000", reason)]
    assert [clip.clip_id for clip in publication.clips] == ["a_001_00"]


def test_missing_and_empty_videos_are_counted(raw, video, tmp_path):
    publish(raw, video)
    (raw / "videos/v_-_train0002.mp4").unlink()
    put(raw / "videos/v_validation1.mp4", b"")
    put(raw / "videos/v_unknown.mp4", b"of no interest")
    manifest = prepare("actnet", DATASET, raw, tmp_path / "out")
    assert len(manifest) == 3
    assert manifest.split("train").empty_classes() == ("Zumba",)
    assert {(row["clip_id"], row["reason"]) for row in missing_rows(tmp_path / "out")} == {
        ("-_train0002_000_00", "not found"),
        *{(f"validation1_000_0{i}", "empty") for i in range(3)},
    }


def test_unlabelled_videos_are_no_part_of_the_account(raw, video):
    database = {"a": entry("training", ("Zumba", [0, 1])), "b": entry("validation"), "c": entry("testing")}
    publication = activitynet.read(publish(raw, video, database), DATASET)
    assert [(line.clip_id, line.reason) for line in publication.missing] == [("b", "no label")]


def test_what_is_absent_or_ambiguous_is_named(raw, video):
    publish(raw, video)
    put(raw / "info.json", json.dumps([1]))
    assert activitynet.read(raw, DATASET).clips
    put(raw / "second.json", json.dumps({"database": {}}))
    with pytest.raises(UserError, match=r"found activity_net.v1-3.min.json, second.json"):
        activitynet.read(raw, DATASET)
    for path in raw.glob("*.json"):
        path.unlink()
    with pytest.raises(UserError, match="needs one JSON with a database of annotations, found none"):
        activitynet.read(raw, DATASET)
    put(raw / "second.json", "{")
    with pytest.raises(UserError, match=r"second.json:1: not valid JSON"):
        activitynet.read(raw, DATASET)


def test_a_folder_without_videos_is_told(raw, video):
    publish(raw, video)
    (raw / "videos").rename(raw / "films")
    with pytest.raises(UserError, match="videos: no folder of videos there"):
        activitynet.read(raw, DATASET)


def test_an_unknown_subset_is_told(raw, video):
    publish(raw, video, {"a": entry("practice", ("Zumba", [0, 1]))})
    with pytest.raises(UserError, match=r"database.a: subset 'practice'"):
        activitynet.read(raw, DATASET)
