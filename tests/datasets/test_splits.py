import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.datasets.prepare import prepare
from multitrain.datasets.publication import AnnotatedClip
from multitrain.datasets.splits import held_out
from tests.datasets.raw import activitynet, dataset, entry


def clips(counts: dict[str, int], pieces: int = 2) -> list[AnnotatedClip]:
    """`counts` videos a class to train on, each cut into pieces, and as many to test on."""
    return [
        AnnotatedClip(f"{label}{number}{split}_{piece}", f"{label}{number}{split}", split, split, label, None, None, "")
        for label, count in counts.items()
        for number in range(count)
        for split in ("train", "test")
        for piece in range(pieces)
    ]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1),
    st.floats(0, 0.99),
    st.integers(0, 5),
)
def test_a_fraction_of_each_class_by_video(counts, fraction, seed):
    chosen = held_out(clips(counts), fraction, seed)
    assert all(video.endswith("train") for video in chosen)
    for label, count in counts.items():
        taken = sum(video.startswith(label) for video in chosen)
        assert abs(taken - fraction * count) <= 0.5 + 1e-9 or taken == count - 1
        assert taken < count


def test_neither_order_nor_other_videos_matter():
    listed = clips({"a": 20, "b": 7})
    chosen = held_out(listed, 0.3, 0)
    random.Random(1).shuffle(listed)
    assert held_out(listed, 0.3, 0) == chosen
    without_b = [clip for clip in listed if clip.label == "a"]
    assert held_out(without_b, 0.3, 0) == {video for video in chosen if video.startswith("a")}
    assert held_out(listed, 0.3, 1) != chosen


def test_a_larger_fraction_contains_the_smaller():
    listed = clips({"a": 40})
    assert held_out(listed, 0.2, 0) < held_out(listed, 0.5, 0)
    assert held_out(listed, 0.0, 0) == set()


def test_a_video_that_is_tested_too_is_not_in_val():
    listed = clips({"a": 8}, pieces=1)
    tested = [AnnotatedClip(f"{c.clip_id}z", c.video_id, "test", "test", "a", None, None, "") for c in listed[::4]]
    chosen = held_out(listed + tested, 0.9, 0)
    assert chosen and chosen.isdisjoint(clip.video_id for clip in tested)


def test_a_video_of_two_classes_belongs_to_its_first():
    listed = clips({"a": 4, "b": 4}, pieces=1)
    both = [AnnotatedClip(f"{c.clip_id}z", c.video_id, c.split, c.split, "z", None, None, "") for c in listed]
    assert held_out(both + listed, 0.5, 0) == held_out(listed, 0.5, 0)


@pytest.mark.parametrize("seed", [0, 3])
def test_clips_of_one_video_stay_together_in_the_manifest(raw, video, tmp_path, seed):
    database = {f"video{i:06d}": entry("training", ("Zumba", [0, 1.2]), ("Zumba", [1, 2])) for i in range(6)}
    activitynet(raw, video, {**database, "other000000": entry("validation", ("Zumba", [0, 1]))})
    manifest = prepare("actnet", dataset("activitynet", holdout=0.4, clip_seconds=1), raw, tmp_path / "out", seed=seed)
    videos = {name: set(manifest.split(name).table["video_id"].to_pylist()) for name in ("train", "val", "test")}
    assert not videos["train"] & videos["val"]
    assert (len(videos["train"]), len(videos["val"])) == (4, 2)
    assert Counter(manifest.table["split"].to_pylist()) == {"train": 12, "val": 6, "test": 1}
    assert set(manifest.split("val").table["publisher_split"].to_pylist()) == {"training"}
