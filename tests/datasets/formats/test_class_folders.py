"""Folders of videos sorted by class: every file is a clip or missing, and the split is one that stays."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.data.manifest import read_manifest
from multitrain.datasets.formats import class_folders
from multitrain.datasets.prepare import prepare
from tests.datasets.coded import write_video
from tests.datasets.raw import dataset, put

DATASET = dataset("folder")


def fill(raw, *paths: str):
    """Files of different content."""
    for path in paths:
        put(raw / path, f"content of {path}")
    return raw


def rows(publication):
    return sorted((clip.key, clip.label, clip.split) for clip in publication.clips)


def test_folders_are_classes(raw):
    fill(raw, "b side/1.mp4", "b side/2.mp4", "été/3.webm", "été/deep/4.MOV", ".git/x", "été/.DS_Store")
    publication = class_folders.read(raw, DATASET)
    assert publication.classes == ("b side", "été")
    assert {(key, label) for key, label, _ in rows(publication)} == {
        ("b side/1.mp4", "b side"),
        ("b side/2.mp4", "b side"),
        ("été/3.webm", "été"),
        ("été/deep/4.MOV", "été"),
    }
    assert not publication.missing and not class_folders.has_splits(raw)


NAMES = st.text("abc é.", min_size=1, max_size=4).map(str.strip).filter(lambda name: name.strip("."))


@settings(max_examples=40)
@given(st.dictionaries(NAMES.filter(lambda n: n[0] != "."), st.integers(1, 9), min_size=2, max_size=4))
def test_each_class_has_its_share_of_either_side_and_ids_stay(tmp_path_factory, counts):
    counts = {unicodedata.normalize("NFC", name): count for name, count in counts.items()}
    raw = tmp_path_factory.mktemp("raw")
    fill(raw, *(f"{name}/{index}.mp4" for name, count in counts.items() for index in range(count)))
    before = class_folders.read(raw, DATASET).clips
    assert len({clip.clip_id for clip in before}) == len(before) == sum(counts.values())
    for name, count in counts.items():
        tested = [clip for clip in before if clip.label == name and clip.split == "test"]
        assert len(tested) == min(int(count * class_folders.TEST_FRACTION + 0.5), count - 1)
    fill(raw, *(f"{name}/more{index}.mp4" for name in counts for index in range(3)))
    after = {clip.key: clip for clip in class_folders.read(raw, DATASET).clips}
    assert all(after[clip.key].clip_id == clip.clip_id for clip in before)


def test_a_divided_folder_is_used_as_it_is(raw):
    fill(raw, "train/a/1.mp4", "train/b/1.mp4", "Val/a/1.mp4", "Val/b/2.mp4")
    assert class_folders.has_splits(raw)
    assert rows(class_folders.read(raw, DATASET)) == [
        ("Val/a/1.mp4", "a", "test"),
        ("Val/b/2.mp4", "b", "test"),
        ("train/a/1.mp4", "a", "train"),
        ("train/b/1.mp4", "b", "train"),
    ]
    fill(raw, "test/a/9.mp4")
    splits = {key.split("/")[0]: split for key, _, split in rows(class_folders.read(raw, DATASET))}
    assert splits == {"train": "train", "Val": "val", "test": "test"}


def test_a_class_may_be_called_train(raw):
    fill(raw, "train/1.mp4", "bus/1.mp4", "test/2.mp4")
    assert class_folders.read(raw, DATASET).classes == ("bus", "test", "train")


def test_the_same_letters_written_in_two_ways_are_one_class(raw):
    fill(raw, f"train/{unicodedata.normalize('NFC', 'é')}/1.mp4", f"val/{unicodedata.normalize('NFD', 'é')}/2.mp4")
    fill(raw, "train/b/1.mp4")
    assert class_folders.read(raw, DATASET).classes == ("b", "é")


def test_the_very_same_video_is_on_one_side_alone(raw):
    fill(raw, "train/a/1.mp4", "train/b/1.mp4", "val/a/2.mp4", "val/b/3.mp4")
    put(raw / "train/a/copy.mp4", (raw / "val/a/2.mp4").read_bytes())
    publication = class_folders.read(raw, DATASET)
    (line,) = publication.missing
    assert (line.reason, line.detail) == ("duplicate", "train/a/copy.mp4 has the very bytes of val/a/2.mp4")
    assert len(publication.clips) == 4
    put(raw / "train/b/copy.mp4", (raw / "val/a/2.mp4").read_bytes())
    told = {line.detail for line in class_folders.read(raw, DATASET).missing}
    assert "train/b/copy.mp4 has the very bytes of val/a/2.mp4, of another class: a" in told


def test_what_is_no_video_takes_no_part_in_the_split(raw, tmp_path):
    fill(raw, *(f"{label}/{number}.mp4" for label in "ab" for number in range(4)))
    before = rows(class_folders.read(raw, DATASET))
    fill(raw, *(f"a/{number}.txt" for number in range(8)), "b/Thumbs.db", "b/README", "b/x.json")
    (raw / "b/gone.mp4").symlink_to(tmp_path / "absent")
    (raw / "b/endless.mp4").symlink_to("/dev/null")
    (raw / "b/loop.mp4").symlink_to("loop.mp4")
    publication = class_folders.read(raw, DATASET)
    assert rows(publication) == before
    told = {line.detail: line.reason for line in publication.missing}
    assert len(told) == len(publication.missing) == 14
    assert told["b/README is not named as a video"] == told["a/7.txt is not named as a video"] == "undecodable"
    assert told["b/gone.mp4 is a link that leads nowhere"] == "not found"
    assert told["b/endless.mp4 is a device, not a regular file"] == "not found"
    fill(raw, "c/notes.txt")
    with pytest.raises(UserError, match=r"c: a class without a video \(c/notes.txt is not named as a video\): put"):
        class_folders.read(raw, DATASET)


def test_clips_of_one_video_at_youtube_stay_together(raw):
    for label in "ab":
        names = [f"{label}{i:010d}_{j:06d}_{j + 10:06d}" for i in range(8) for j in range(3)]
        fill(raw, *(f"{label}/{name}.mp4" for name in names))
    clips = class_folders.read(raw, DATASET).clips
    tested = {clip.key[:13] for clip in clips if clip.split == "test"}
    assert len(tested) == 4 and not tested & {clip.key[:13] for clip in clips if clip.split == "train"}


def test_files_beside_the_classes_are_told(raw):
    fill(raw, "a/1.mp4", "b/2.mp4", "loose.mp4", ".hidden")
    (line,) = class_folders.read(raw, DATASET).missing
    assert (line.reason, line.detail) == ("no label", "loose.mp4 lies in no folder of a class")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "no folder of a class: two are needed"),
        (["1.mp4"], "no folder of a class: two are needed"),
        (["a/1.mp4"], "only one class, 'a'"),
        (["Jump/1.mp4", "jump/2.mp4"], "classes 'Jump' and 'jump' differ by case alone"),
        (["train/a/1.mp4", "val/a/1.mp4", "c/1.mp4"], "'c' lies beside train and val"),
        (["a/1.mp4", "b/.hidden"], "b: a class without a video"),
        (["a/1.mp4", "b\x07/2.mp4"], "letters that cannot be shown"),
    ],
)
def test_what_is_no_folder_of_classes_is_one_line(raw, files, told):
    fill(raw, *files)
    with pytest.raises(UserError, match="raw") as caught:
        class_folders.read(raw, DATASET)
    assert told in str(caught.value) and "\n" not in repr(str(caught.value))


def test_a_link_may_be_a_class_but_not_hide_in_one(raw, tmp_path):
    fill(tmp_path / "elsewhere", "1.mp4")
    fill(raw, "a/1.mp4")
    (raw / "b").symlink_to(tmp_path / "elsewhere")
    assert class_folders.read(raw, DATASET).classes == ("a", "b")
    (raw / "a/more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="a link to a folder inside a class"):
        class_folders.read(raw, DATASET)


def test_prepared_every_file_is_accounted_for(raw, tmp_path):
    for number, name in enumerate(("jump/a b.mp4", "jump/c.mp4", "été/d.mp4", "été/e.webm")):
        write_video(raw / name, 20 + number, codec="libvpx-vp9" if name.endswith("webm") else "libx264")
    fill(raw, "été/broken.mp4", "notes.txt")
    put(raw / "jump/empty.mp4", b"")
    manifest = prepare("own", DATASET, raw, tmp_path / "out")
    assert manifest.classes == ("jump", "été") and len(manifest) == 4
    assert sum(len(manifest.split(name)) for name in ("train", "test")) == 4
    assert not manifest.split("train").empty_classes()
    missing = (tmp_path / "out/missing.csv").read_text()
    assert all(word in missing for word in ("undecodable", "empty", "no label"))
    assert len(missing.splitlines()) == 4
    assert len(read_manifest(tmp_path / "out/manifest.parquet")) == 4
