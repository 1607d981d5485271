import json

import numpy as np
import pytest

from multitrain.common.errors import UserError
from multitrain.datasets.formats import ssv2
from multitrain.datasets.prepare import prepare
from tests.datasets.coded import codes
from tests.datasets.raw import SSV2_CLASSES, dataset, put, put_zip, ssv2_texts, tar_bytes
from tests.datasets.raw import ssv2 as publish

DATASET = dataset("ssv2")


def check(raw, folder):
    """The publication of `publish`, prepared in full."""
    manifest = prepare("ssv2", DATASET, raw, folder)
    assert manifest.classes == ("Holding something next to something", "Pushing something")
    rows = {row["clip_id"]: row for row in manifest.table.to_pylist()}
    assert {name: (row["label"], row["split"]) for name, row in rows.items()} == {
        "78687": (0, "train"),
        "2": (1, "train"),
        "3": (1, "test"),
    }
    assert {row["publisher_split"] for row in rows.values()} == {"train", "validation"}
    assert codes(folder / rows["3"]["path"]) == list(range(30))
    assert (folder / "missing.csv").read_text().count("\n") == 1


def test_an_excerpt_as_published(raw, webm, tmp_path):
    check(publish(raw, webm), tmp_path / "out")


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("zipped", [False, True])
def test_pieces_are_one_archive(raw, webm, tmp_path, count, zipped):
    check(publish(raw, webm, count=count, zipped=zipped), tmp_path / "out")


@pytest.mark.parametrize("layout", ["folder", "older names", "older names in a zip", "long zip name", "beside"])
def test_labels_wherever_they_lie(raw, webm, tmp_path, layout):
    publish(raw, webm)
    (raw / "labels.zip").unlink()
    older = ssv2_texts("something-something-v2-")
    if layout == "long zip name":
        files = {f"labels/{name}": text for name, text in ssv2_texts().items()}
        put_zip(raw / "20bn-something-something-download-package-labels.zip", files)
    elif layout == "older names in a zip":
        put_zip(raw / "labels.zip", older)
    else:
        folder = raw if layout in ("older names", "beside") else raw / "labels"
        for name, text in (older if layout == "older names" else ssv2_texts()).items():
            put(folder / name, text)
    check(raw, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("labels", [1], "labels.json: holds a list where a dict"),
        ("labels", {"a": "x"}, 'expected {"name": "index", ...}'),
        ("labels", {"a": "0", "b": "2"}, "indices are not 0 to 1"),
        ("labels", {"a": "1", "b": "1"}, "indices are not 0 to 1"),
        ("labels", {}, "indices are not"),
        ("train", {}, "train.json: holds a dict where a list"),
        ("train", [{"template": "Pushing [something]"}], "train.json: entry 0 has no id"),
        ("train", [{"id": "9", "template": "Eating [something]"}], "(id 9): template 'Eating something' is not in"),
        ("train", "{", "train.json:1: not valid JSON"),
        ("validation", None, "no validation.json"),
    ],
)
def test_malformed_labels_name_file_and_entry(raw, webm, name, content, told):
    publish(raw, webm)
    texts = ssv2_texts()
    texts[f"{name}.json"] = content if isinstance(content, str) else json.dumps(content)
    if content is None:
        del texts[f"{name}.json"]
    put_zip(raw / "labels.zip", texts)
    with pytest.raises(UserError) as caught:
        ssv2.read(raw, DATASET)
    assert told in str(caught.value) and str(raw) in str(caught.value)


def test_a_missing_piece_is_named(raw, webm, tmp_path):
    publish(raw, webm)
    (raw / "20bn-something-something-v2-01").unlink()
    with pytest.raises(UserError, match="v2-01: this piece is not there"):
        ssv2.read(raw, DATASET)
    (raw / "20bn-something-something-v2-02").unlink()
    with pytest.raises(UserError, match=r"v2-00.*damaged or incomplete"):
        prepare("ssv2", DATASET, raw, tmp_path / "out")
    (raw / "20bn-something-something-v2-00").unlink()
    with pytest.raises(UserError, match="v2-00: no such archive"):
        ssv2.read(raw, DATASET)


def test_an_archive_that_breaks_off_is_told_before_a_video_is_decoded(raw, webm, tmp_path):
    folder, noise = "20bn-something-something-v2", np.random.default_rng(0).bytes(2 << 20)
    archive = tar_bytes({f"{folder}/78687.webm": webm, f"{folder}/notes.bin": noise})
    publish(raw, webm, archive[:-4], 2)  # the video is whole; the end of the checksum is not there
    with pytest.raises(UserError, match=r"v2-00.*damaged or incomplete"):
        prepare("ssv2", DATASET, raw, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.mp4"))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"PK no zip", "damaged or incomplete"), (b"", "damaged or incomplete"), ({"readme.txt": "hello"}, "no piece")],
)
def test_a_zip_that_is_no_piece_is_named(raw, webm, tmp_path, content, told):
    publish(raw, webm, count=2, zipped=True)
    (put_zip if isinstance(content, dict) else put)(raw / "20bn-something-something-v2-01.zip", content)
    with pytest.raises(UserError, match=rf"v2-01.zip.*{told}"):
        prepare("ssv2", DATASET, raw, tmp_path / "out")


def test_labels_that_are_not_there_are_asked_for(raw, webm):
    publish(raw, webm)
    (raw / "labels.zip").unlink()
    with pytest.raises(UserError, match=r"labels.zip: no labels.json"):
        ssv2.read(raw, DATASET)


def test_the_indices_give_the_order():
    assert sorted(SSV2_CLASSES) == ["Holding something next to something", "Pushing something"]
    content = json.dumps({"b": "0", "a": "10", **{f"c{i}": str(i) for i in range(1, 10)}}).encode()
    assert ssv2._classes(content, "labels.json") == ("b", *[f"c{i}" for i in range(1, 10)], "a")
