"""Tables of one scale are not written over those of another."""

from pathlib import Path

import pandas as pd
import pytest

from multitrain.overwrite import refusal, scale_of


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "results/table1.csv"
    path.parent.mkdir()
    path.write_text("source,method,scale\npublished,a,\nours,b,mini\n")
    return path


def test_the_scale_of_a_table_is_that_of_its_rows_of_ours(table: Path):
    assert scale_of(table) == "mini"
    pd.DataFrame({"scale": ["lab", "lab"], "x": [1, 2]}).to_parquet(table.with_suffix(".parquet"))
    assert scale_of(table.with_suffix(".parquet")) == "lab"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"source,scale\npublished,\n", b"\xff\xfe", b"\0,\0\n"])
def test_a_file_that_does_not_say_its_scale_has_none(table: Path, content: bytes):
    for name in ("a.csv", "a.parquet", "a.md"):
        table.with_name(name).write_bytes(content)
        assert scale_of(table.with_name(name)) == ""
    assert scale_of(table.with_name("nothing.csv")) == "" == scale_of(table.with_name("nothing.parquet"))


def test_the_same_scale_and_files_to_come_are_written(table: Path):
    results = str(table.parent)
    assert refusal([str(table), f"{results}/table2.csv"], "mini", results) == ""


def test_another_scale_is_refused_with_the_cure(table: Path, monkeypatch):
    monkeypatch.chdir(table.parents[1])
    said = refusal(["results/table2.csv", "results/table1.csv"], "paper", "results")
    assert said.startswith("results/table1.csv: of scale mini, and scale paper would be written over it: ")
    assert "--config scale=paper results=results/paper; or remove results/table1.csv," in said
    Path("results/runs/paper").mkdir(parents=True)  # weeks of training that another folder would not have
    assert "mkdir -p results/paper/runs && mv results/runs/paper results/paper/runs/`" in refusal(
        ["results/table1.csv"], "paper", "results"
    )
