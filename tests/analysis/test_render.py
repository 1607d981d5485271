"""Rows of tables to text and back: numbers keep their digits, text stays text, what is wrong is named."""

import math

import pandas as pd
import pytest

from multitrain.analysis.render import latex, markdown
from multitrain.analysis.render.cells import chance, difference, p_value, percent, signed
from multitrain.analysis.render.columns import CLAIMS, TABLE, Printed
from multitrain.analysis.render.html import SYNTAX
from multitrain.analysis.render.sheet import Section, Sheet, Styled
from multitrain.analysis.render.table_files import as_printed, read_frame, read_published, read_rows, write_rows
from multitrain.analysis.study import study_report
from multitrain.common.errors import UserError

OURS = {"source": "ours", "method": "NA", "dataset": "k400", "top1": 79.949, "clips": 12, "classes": (8, 9)}
OURS |= {"seeds": (0, 1), "gflops": 223.8, "top5": None}
PAPER = {"source": "published", "method": "A", "dataset": "mit", "top1": Printed("79.0"), "gflops": Printed("70.50")}


@pytest.fixture
def written(tmp_path):
    write_rows(tmp_path / "table1.csv", [PAPER, OURS], TABLE)
    return tmp_path / "table1.csv"


def test_a_number_is_rounded_once_as_its_column_prints_it():
    (row,) = as_printed([OURS], TABLE)
    assert (str(row["top1"]), percent(row["top1"]), str(row["gflops"])) == ("79.95", "80.0", "224")
    assert percent(OURS["top1"]) == "79.9" and "top5" not in row and row["clips"] == 12
    assert str(as_printed([{"low": -0.001}], CLAIMS)[0]["low"]) == "0.00"


def test_rows_come_back_with_their_text_and_without_what_was_empty(written):
    theirs, ours = read_rows(written)
    assert (str(theirs["top1"]), str(theirs["gflops"]), theirs["top1"] + 1) == ("79.0", "70.50", 80)
    assert (ours["method"], ours["seeds"], ours["classes"], ours["clips"]) == ("NA", (0, 1), ("8", "9"), 12)
    assert not {"top5", "clips", "seeds"} & set(theirs) and "top5" not in ours and theirs["scale"] == ""


def test_a_frame_has_numbers_and_text(written):
    frame = read_frame(written)
    assert frame["top1"].tolist() == [79.0, 79.95] and math.isnan(frame["clips"][0])
    assert frame["seeds"].tolist() == [(), (0, 1)] and frame["method"].tolist() == ["A", "NA"]


@pytest.mark.parametrize("read", [read_frame, read_rows])
def test_text_for_a_number_is_named(written, read):
    written.write_text(written.read_text().replace("79.95", "high"))
    with pytest.raises(UserError, match=r"table1\.csv: .*top1 is 'high'.* number"):
        read(written)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method,dataset,top1\nA,k400,79.0\nB,k400,x\n", r"line 3: top1 is 'x': it takes a number"),
        ("method,dataset,top1\nA,k400,nan\n", r"line 2: top1 is 'nan': it takes a number"),
        ("method,dataset,top1\nA,k400,1,2\n", r"line 2: not as many cells as columns"),
        ("method,dataset,top1\nA,k400\n", r"line 2: not as many cells as columns"),
        ("method,dataset,top1,speed\nA,k400,1,2\n", r"line 2: 'speed' is no column"),
        ("method,dataset\n", r"no column 'top1'"),
    ],
)
def test_a_published_table_that_is_wrong_is_named(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=rf"p\.csv: {message}"):
        read_published(tmp_path / "p.csv", TABLE, ("method", "dataset", "top1"))


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_is_not_there_is_a_dash(missing):
    assert {form(missing) for form in (percent, signed, chance, p_value)} == {difference(missing, 1, 2)} == {"-"}
    assert difference(1, missing, missing) == "+1.0 [-]" and difference(-0.04, -1, 2) == "+0.0 [-1.0, +2.0]"
    assert (p_value(0.0009), p_value(0.0321), chance(0.125)) == ("<0.001", "0.032", "12%")


def test_one_sheet_is_markdown_latex_and_cells_of_html():
    cell = (Styled("a|b", "bold"), "c & d")
    sheet = Sheet("T", ["x", "y"], [Section("Ours", [["1", cell]], "Lead.", "Ours, whole")], ["Note `n`."], "lr")
    assert markdown.page(sheet) == (
        "# T\n\n## Ours\n\nLead.\n\n| x | y               |\n| - | --------------- |\n"
        "| 1 | **a\\|b**; c & d |\n\n- Note `n`.\n"
    )
    text = latex.table(sheet)
    assert r"1 & \textbf{a\textbar{}b}; c \& d \\" in text and r"\multicolumn{2}{l}{Ours, whole} \\" in text
    assert r"\caption{T. Note \texttt{n}.}" in text and r"\begin{tabular}{lr}" in text
    assert SYNTAX.cell(cell) == "<b>a|b</b><br>c &amp; d"


def test_the_report_counts_clips(tmp_path):
    tables = ("table1", "table2")
    for name in tables:
        write_rows(tmp_path / f"{name}.csv", [{**OURS, "train_clips": (5,), "synthetic": "yes"}], TABLE)
    pd.DataFrame({"dataset": ["k400"], "title": ["K400"]}).to_csv(tmp_path / "per_class.csv", index=False)
    for clips, said in (([12, 12], "12"), ([12, 13], "12 / 13")):  # of seeds in one world, and in two
        seeds = pd.DataFrame({"dataset": ["k400", "k400"], "clips": clips, "videos": [6, 6]})
        seeds.to_csv(tmp_path / "seeds.csv", index=False)
        assert study_report.datasets(tmp_path, tables).data.to_numpy().tolist() == [
            ["K400", "8 / 9", "12.5 / 11.1", "5", said, "6"]
        ]
