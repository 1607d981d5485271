import pytest

from multitrain.common.errors import UserError
from multitrain.datasets.formats import mit
from multitrain.datasets.prepare import prepare
from tests.datasets.coded import codes
from tests.datasets.raw import MIT_FILES, MIT_VIDEOS, dataset, put, put_zip
from tests.datasets.raw import mit as publish

DATASET = dataset("mit")


@pytest.mark.parametrize("prefix", ["", "Moments_in_Time_Raw/"])
def test_an_excerpt_as_published(raw, video, tmp_path, prefix):
    manifest = prepare("mit", DATASET, publish(raw, video, prefix), tmp_path / "out")
    assert manifest.classes == ("adult+female+singing", "clapping")
    rows = {row["clip_id"]: row for row in manifest.table.to_pylist()}
    spaced = next(name for name in rows if name.startswith("adult+female+singing_yt_b_2"))
    assert set(rows) == {"clapping.yt-a_1", "clapping.yt-c_3", spaced}
    assert {name: (row["label"], row["split"], row["publisher_split"]) for name, row in rows.items()} == {
        "clapping.yt-a_1": (1, "train", "training"),
        spaced: (0, "train", "training"),
        "clapping.yt-c_3": (1, "test", "validation"),
    }
    assert rows["clapping.yt-a_1"]["video_id"] == "yt-a_1"
    assert rows["clapping.yt-a_1"]["start"] is None
    for row in rows.values():
        assert codes(tmp_path / "out" / row["path"]) == list(range(30))


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("b,1\na,0\n", ("a", "b")),
        ("b\na\n", ("b", "a")),
        ("b,0\na\n", ("b", "a")),
        ("b, 0\r\na, 1\r\n\r\n", ("b", "a")),
    ],
)
def test_categories_with_and_without_indices(text, classes):
    assert mit._classes(text.encode(), "x") == classes


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"moments_categories": "a,0\nb,2\n"}, "indices are not 0 to 1"),
        ({"moments_categories": "a\na\n"}, "a class is there twice"),
        ({"moments_categories": ""}, "no class"),
        ({"trainingSet": "clapping/yt-a_1.mp4\n"}, "trainingSet.csv:1: expected filename,label"),
        ({"trainingSet": "clapping/a.mp4,clapping,3,0\nx/b.mp4,eating,3,0\n"}, "trainingSet.csv:2: label 'eating'"),
    ],
)
def test_malformed_lists_name_file_and_line(raw, video, texts, told):
    with pytest.raises(UserError) as caught:
        mit.read(publish(raw, video, **texts), DATASET)
    assert told in str(caught.value) and "Moments_in_Time_Raw.zip" in str(caught.value)


def test_the_same_file_under_two_classes_is_one_video(raw, video):
    rows = "clapping/yt-a_1.mp4,clapping,3,0\nadult+female+singing/yt-a_1.mp4,adult+female+singing,3,0\n"
    publication = mit.read(publish(raw, video, trainingSet=rows), DATASET)
    clips = [clip for clip in publication.clips if clip.split == "train"]
    assert len({clip.clip_id for clip in clips}) == 2 and {clip.video_id for clip in clips} == {"yt-a_1"}


def test_what_is_absent_is_named(raw, video):
    with pytest.raises(UserError, match=r"Moments_in_Time_Raw.zip: no archive"):
        mit.read(raw, DATASET)
    put_zip(raw / "Moments_in_Time_Raw.zip", {"trainingSet.csv": ""})
    with pytest.raises(UserError, match=r"no moments_categories.txt in the archive"):
        mit.read(raw, DATASET)


def test_a_damaged_zip_is_named(raw, video, tmp_path):
    path = publish(raw, video) / "Moments_in_Time_Raw.zip"
    content = bytearray(path.read_bytes())
    put(path, bytes(content[: len(content) // 2]))
    with pytest.raises(UserError, match=r"Moments_in_Time_Raw.zip: the archive is damaged"):
        mit.read(raw, DATASET)
    place = content.index(video) + len(video) // 2
    content[place] ^= 255
    put(path, bytes(content))
    with pytest.raises(UserError, match=r"Moments_in_Time_Raw.zip.*yt-a_1.mp4.*damaged"):
        prepare("mit", DATASET, raw, tmp_path / "out")


def test_names_that_lead_out_are_refused(raw, video, tmp_path):
    files = {**MIT_FILES, **dict.fromkeys(MIT_VIDEOS[:2], video), f"../../{MIT_VIDEOS[2]}": video}
    put_zip(raw / "Moments_in_Time_Raw.zip", files)
    assert len(prepare("mit", DATASET, raw, tmp_path / "out").split("test")) == 0
    assert "refused, its name leads out of the archive" in (tmp_path / "out/missing.csv").read_text()


def test_an_annotated_name_that_leads_out_names_no_path(raw, video, tmp_path):
    publish(raw, video, trainingSet="../../../evil.mp4,clapping,3,0\nclapping/yt-a_1.mp4,clapping,3,0\n")
    manifest = prepare("mit", DATASET, raw, tmp_path / "out")
    assert manifest.table["clip_id"].to_pylist() == ["clapping.yt-a_1", "clapping.yt-c_3"]
    assert not list(tmp_path.rglob("*evil*"))
