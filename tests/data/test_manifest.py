"""The manifest of a prepared dataset: written and read, its splits, and files that are none."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multitrain.common.errors import UserError
from multitrain.data.manifest import SCHEMA, Missing, read_manifest, write_manifest, write_missing

CLASSES = ("zumba", "abseiling", 'saying "é"')


def row(number: int, **values: object) -> dict:
    return {
        "clip_id": f"clip{number:02d}",
        "video_id": "v",
        "path": f"videos/{number}.mp4",
        "label": number % 3,
        "split": ("train", "val", "test")[number % 3],
        "publisher_split": "training",
        "frames": 30,
        "fps": 12.0,
        "width": 72,
        "height": 72,
        "start": None,
        "end": 1.5,
        **values,
    }


def test_what_is_written_is_read(tmp_path):
    rows = [row(number) for number in range(7)]
    write_manifest(tmp_path / "manifest.parquet", CLASSES, rows[::-1])
    manifest = read_manifest(tmp_path / "manifest.parquet")
    assert manifest.classes == CLASSES and manifest.folder == tmp_path
    assert manifest.table.schema.equals(SCHEMA, check_metadata=False)
    assert manifest.table.to_pylist() == rows and len(manifest) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.parquet"]


def test_bytes_do_not_depend_on_the_order_of_rows(tmp_path):
    rows = [row(number) for number in range(20)]
    write_manifest(tmp_path / "a.parquet", CLASSES, rows)
    random.Random(0).shuffle(rows)
    write_manifest(tmp_path / "b.parquet", CLASSES, rows)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_splits_divide_the_clips(tmp_path):
    write_manifest(tmp_path / "m.parquet", CLASSES, [row(number) for number in range(8)])
    manifest = read_manifest(tmp_path / "m.parquet")
    parts = {name: manifest.split(name) for name in ("train", "val", "test")}
    assert [len(part) for part in parts.values()] == [3, 3, 2]
    assert parts["val"].table["clip_id"].to_pylist() == ["clip01", "clip04", "clip07"]
    assert parts["val"].classes == CLASSES
    with pytest.raises(UserError, match="no split 'validation'"):
        manifest.split("validation")


def test_chosen_columns_are_those_of_the_whole(tmp_path):
    path = tmp_path / "m.parquet"
    write_manifest(path, CLASSES, [row(number) for number in range(8)])
    whole, part = read_manifest(path).split("val"), read_manifest(path, ["path", "label", "frames"]).split("val")
    assert set(part.table.column_names) == {"path", "label", "frames", "split"}
    assert part.table.to_pylist() == whole.table.select(part.table.column_names).to_pylist()
    assert (part.folder, part.classes, len(part)) == (whole.folder, whole.classes, 3)
    assert part.empty_classes() == whole.empty_classes() == ("zumba", 'saying "é"')


@pytest.mark.parametrize("value", [{"label": None}, {"clip_id": None}, {"frames": "many"}])
def test_a_row_that_breaks_the_schema_writes_nothing(tmp_path, value):
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError)):
        write_manifest(tmp_path / "m.parquet", CLASSES, [row(0, **value)])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_manifest_is_a_user_error(tmp_path):
    path = tmp_path / "m.parquet"
    with pytest.raises(UserError, match="no such manifest"):
        read_manifest(path)
    path.write_bytes(b"text")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_manifest(path)
    pq.write_table(pa.table({"clip_id": ["a"]}), path)
    for columns in (None, ["clip_id"]):
        with pytest.raises(UserError, match="columns differ"):
            read_manifest(path, columns)


@pytest.mark.parametrize(("classes", "label"), [((), 0), (CLASSES, 3), (CLASSES, -1)])
def test_labels_need_their_classes(tmp_path, classes, label):
    write_manifest(tmp_path / "m.parquet", classes, [row(0, label=label)])
    with pytest.raises(UserError, match="do not cover its labels"):
        read_manifest(tmp_path / "m.parquet")


def test_missing_lines_are_sorted_under_a_header(tmp_path):
    path = tmp_path / "missing.csv"
    write_missing(path, [])
    assert path.read_text() == "clip_id,video_id,publisher_split,label,reason,detail\n"
    lines = [Missing(name, "v", "train", "a, b", "empty", 'said "no"') for name in ("b", "a")]
    write_missing(path, lines)
    assert path.read_text().splitlines()[1:] == [
        'a,v,train,"a, b",empty,"said ""no"""',
        'b,v,train,"a, b",empty,"said ""no"""',
    ]
