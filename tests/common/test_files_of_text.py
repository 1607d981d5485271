"""CSV and JSON files: rows of either kind give the same bytes, written whole or not at all, and read back."""

import math
from pathlib import Path

import pandas as pd
import pytest

from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import read_csv, write_csv, write_frame
from multitrain.common.files.json_files import read_json, write_json

ROWS = [{"b": 1, "a": 'say "x", y'}, {"a": None}, {"a": "two\nlines", "b": 0.5}]
TEXT = b'a,b\n"say ""x"", y",1\n,\n"two\nlines",0.5\n'


@pytest.mark.parametrize("rows", [ROWS, [[row.get("a", ""), row.get("b", "")] for row in ROWS]], ids=["dict", "list"])
def test_rows_of_either_kind_are_the_same_bytes(tmp_path, rows):
    path = tmp_path / "new" / "x.csv"
    write_csv(path, ("a", "b"), rows)
    assert path.read_bytes() == TEXT
    read = [(2, {"a": 'say "x", y', "b": "1"}), (3, {"a": "", "b": ""}), (5, {"a": "two\nlines", "b": "0.5"})]
    assert read_csv(path, ("a",), "make it") == read


def test_a_key_that_is_no_column_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("before")
    with pytest.raises(ValueError, match="no column 'c': the columns are a, b"):
        write_csv(path, ("a", "b"), [{"a": 1}, {"c": 1}])
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["=1+1", "@cmd", "-x", "+x", 'a "b", c', "a\nb"])
def test_a_name_is_read_as_it_was_written(tmp_path, name):
    write_csv(tmp_path / "x.csv", ["class"], [[name]])
    ((_, row),) = read_csv(tmp_path / "x.csv", ["class"], "make it")
    assert row["class"] == name == pd.read_csv(tmp_path / "x.csv", dtype=str)["class"].item()


def test_a_frame_is_written_without_its_index(tmp_path):
    write_frame(tmp_path / "x.csv", pd.DataFrame({"name": ["é"], "value": [1 / 3]}, index=[7]), "%.2f")
    assert (tmp_path / "x.csv").read_bytes() == "name,value\né,0.33\n".encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "x.csv: no such file: make it"),
        (b"", "x.csv: no column 'a': it takes a, b: make it"),
        (b"a,c\n", "x.csv: no column 'b': it takes a, b: make it"),
        (b"a,b\n\xff,1\n", r"x.csv: not a readable table \(.*\): make it"),
        (b'a,b\n"open', r"x.csv: not a readable table \(.*\): make it"),
    ],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, content: bytes | None, says: str):
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_csv(tmp_path / "x.csv", ("a", "b"), "make it")


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"b": 0.1, "a": ["é", None]})
    assert path.read_bytes() == b'{\n  "b": 0.1,\n  "a": [\n    "\\u00e9",\n    null\n  ]\n}\n'
    assert read_json(path, "`make`") == {"b": 0.1, "a": ["é", None]}
    for wrong in ({"a": Path("x")}, {"a": math.nan}):
        with pytest.raises((TypeError, ValueError)):
            write_json(path, wrong, allow_nan=False)
    assert read_json(path, "`make`")["b"] == 0.1 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("content", "says"), [(None, "no such file: `make` writes it"), (b"\xff", "not valid JSON")])
def test_json_that_is_none_is_named(tmp_path, content, says):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=f"x.json: {says}"):
        read_json(tmp_path / "x.json", "`make`")
