"""README.md's first screen says what docs/example's verdicts are."""

import pytest

from dev.pages import first_screen as its
from dev.pages.marked import begin
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.render.columns import CLAIMS
from multitrain.analysis.render.table_files import read_rows
from tests.csv_rows import csv_rows


@pytest.fixture(scope="module")
def section() -> str:
    rows = read_rows(its.EXAMPLE / "claims.csv", tuple(CLAIMS))
    return its.section(read_study(its.EXAMPLE / its.RECORDS), rows)


def test_the_readme_has_the_section_of_the_example(section):
    text = its.PAGE.read_text(encoding="utf-8")
    assert its.replaced(text, its.WRITER, section, "") == text, "run `python -m dev.pages.first_screen`"
    assert begin(its.WRITER) in text and its.FIGURE.is_file()


def test_each_claim_is_said_with_its_verdict(section):
    """Of claims.csv itself, read without the package."""
    rows = {row["claim"]: row for row in csv_rows(its.EXAMPLE / "claims.csv") if row["scope"] == "claim"}
    for name in (
        "joint_training",
        "gain_beyond_steps",
        "robust_loss_overall",
        "informative_loss",
        "robust_loss_longer",
    ):
        row = rows[name]
        numbers = [f"{float(row[key]):+.1f}" for key in ("difference", "low", "high")]
        assert f"{numbers[0]} [{numbers[1]}, {numbers[2]}]" in section
        assert f"**{row['claim_verdict']}**" in section


def test_the_figure_has_the_primary_claims_alone_each_fact_once(tmp_path):
    its.primary(its.EXAMPLE, tmp_path)
    rows = csv_rows(tmp_path / "claims.csv")
    assert {row["primary"] for row in rows} == {"yes"} and {row["same_fact_as"] for row in rows} == {""}
    named = {row["claim"] for row in rows}
    assert {"joint_training", "robust_loss_overall", "collapse"} <= named and "gain_without_actnet" not in named
