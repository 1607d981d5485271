"""Tables of one scale do not overwrite those of another."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from multitrain.planning.overwrite import conflict, scale_of
from tests.cli.test_cli import CONFIG, ROOT, call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "results/table1.csv"
    path.parent.mkdir()
    path.write_text("source,method,scale\npublished,a,\nours,b,mini\n")
    return path


def test_the_scale_of_a_table_is_that_of_our_rows(table: Path):
    assert scale_of(table) == "mini"
    pd.DataFrame({"scale": ["lab", "lab"], "x": [1, 2]}).to_parquet(table.with_suffix(".parquet"))
    assert scale_of(table.with_suffix(".parquet")) == "lab"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"source,scale\npublished,\n", b"\xff\xfe", b"\0,\0\n"])
def test_a_file_without_a_scale_gives_the_empty_string(table: Path, content: bytes):
    for name in ("a.csv", "a.parquet", "a.md"):
        table.with_name(name).write_bytes(content)
        assert scale_of(table.with_name(name)) == ""
    assert scale_of(table.with_name("nothing.csv")) == "" == scale_of(table.with_name("nothing.parquet"))


def test_files_of_the_same_scale_and_missing_files_are_no_conflict(table: Path):
    results = str(table.parent)
    assert conflict([str(table), f"{results}/table2.csv"], "mini", results) == ""


def test_another_scale_is_an_error_with_the_cure(table: Path, monkeypatch):
    monkeypatch.chdir(table.parents[1])
    message = conflict(["results/table2.csv", "results/table1.csv"], "paper", "results")
    assert message.startswith("results/table1.csv: of scale mini, and scale paper would be written over it: ")
    assert "--config scale=paper results=results/paper; or remove results/table1.csv," in message
    Path("results/runs/paper").mkdir(parents=True)  # weeks of training that another folder would not have
    assert "mkdir -p results/paper/runs && mv results/runs/paper results/paper/runs/`" in conflict(
        ["results/table1.csv"], "paper", "results"
    )


@pytest.mark.parametrize("command", [["table", "table1"], ["analyse", "claims"], ["data", "account"]])
def test_the_commands_refuse_another_scale_as_the_workflow_does(table: Path, command: list[str], capsys):
    for name in ("claims.csv", "datasets.csv"):
        table.with_name(name).write_text(table.read_text())
    assert call(*command, "--scale", "ci", "--results", str(table.parent), *CONFIG) == 1
    message = capsys.readouterr().err
    assert "of scale mini, and scale ci would be written over it: give it a folder of its own, --results " in message


def test_a_report_contains_the_existing_outputs(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "results/figures").mkdir(parents=True)
    for name in ("table1.csv", "figures/cost.png", "table1.md", "leakage.csv"):
        (tmp_path / "results" / name).touch()
    command = ["make", "--no-print-directory", "-n", "report"]  # make itself may run the tests
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    expected = "snakemake --report report.html results/table1.csv results/figures/cost.png"
    assert printed.splitlines()[-1].endswith(expected)
