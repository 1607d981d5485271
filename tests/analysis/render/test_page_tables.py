"""Tables for notebooks and the index: ours and the paper's apart, Y_k and Y'_k both, text escaped."""

import pandas as pd
import pytest

from multitrain.analysis.render import page_tables
from multitrain.analysis.render.columns import TABLE
from multitrain.common.errors import UserError

NAMES = {"k400": "K400", "mit": "MiT"}
OURS = {"source": "ours", "training_data": "(e)", "scale": "mini", "synthetic": "yes", "seeds": "0 1"}


def table(folder, *rows):
    pd.DataFrame(rows, columns=list(TABLE)).to_csv(folder / "table1.csv", index=False)
    return folder


def numbers(value: float, suffix: str = "") -> dict[str, str]:
    values = {}
    for top, more in (("top1", 0), ("top5", 10)):
        for key, shift in (("", 0), ("_low", -5), ("_high", 5)):
            values[f"{top}{suffix}{key}"] = f"{value + more + shift:.2f}"
    return values


@pytest.fixture
def results(tmp_path):
    theirs = {"source": "published", "method": "A & B", "top1": "81.9", "top5": "95.2"}
    return table(
        tmp_path,
        {**theirs, "dataset": "k400", "rank_in_paper": "first"},
        {**OURS, "method": "Baseline", "dataset": "k400", **numbers(40), "top1_std": "1.25"},
        {**OURS, "method": "MultiTrain", "dataset": "k400", **numbers(50), **numbers(60, "_projected")},
        {**OURS, "method": "MultiTrain", "dataset": "mit", **numbers(20), **numbers(30, "_projected")},
    )


def test_every_method_has_a_row_and_projections_a_second(results):
    frame = page_tables.accuracy(results, "table1", NAMES).data
    assert frame[["Source", "Method", "By"]].to_numpy().tolist() == [
        ["published", "A &amp; B", ""],
        ["ours, synthetic", "Baseline", "Yₖ"],
        ["ours, synthetic", "MultiTrain", "Yₖ"],
        ["ours, synthetic", "MultiTrain", "Y′ₖ"],
    ]
    assert frame["K400"].str.split("<br>").str[0].tolist() == [
        "<b>81.9 / 95.2</b>",
        "40.0 ± 1.2 / 50.0",
        "50.0 / 60.0",
        "60.0 / 70.0",
    ]
    assert frame["MiT"].tolist()[:2] == ["-", "-"] and "25.0–35.0 / 35.0–45.0" in frame["MiT"][3]


def test_published_rows_look_different_and_the_caption_says_synthetic(results):
    html = page_tables.accuracy(results, "table1", NAMES).to_html()
    style = html.partition("</style>")[0]
    assert all(f"row0_col{i}" in style and f"row1_col{i}" not in style for i in range(7))
    assert "synthetic world mini, seeds 0, 1" in html
    assert "synthetic world mini, seeds 0, 1" in page_tables.warning(page_tables.read(results / "table1.csv").iloc[1:])


def test_a_row_of_the_release_is_among_the_published(tmp_path):
    theirs = {"source": "release", "method": "A later one", "dataset": "k400", "top1": "84.7", "top5": "96.5"}
    results = table(tmp_path, theirs, {**OURS, "method": "Baseline", "dataset": "k400", **numbers(40)})
    shown = page_tables.accuracy(results, "table1", NAMES)
    assert shown.data[["Source", "Method", "By", "K400"]].to_numpy().tolist()[0] == [
        *("release", "A later one", "", "84.7 / 96.5"),
    ]
    style = shown.to_html().partition("</style>")[0]
    assert "row0_col0" in style and "row1_col0" not in style


def test_ours_alone(results):
    frame = page_tables.accuracy(results, "table1", NAMES, only_ours=True).data
    assert "Source" not in frame and frame["Method"].tolist() == ["Baseline", "MultiTrain", "MultiTrain"]


def test_no_rows_of_ours_is_told(tmp_path):
    table(tmp_path, {"source": "published", "method": "A", "dataset": "k400", "top1": "1", "top5": "2"})
    with pytest.raises(UserError, match="no rows of ours"):
        page_tables.accuracy(tmp_path, "table1", NAMES)


def test_claims_say_both_verdicts_and_the_text_once(tmp_path):
    part = {"claim": "a", "text": "x < y", "paper_difference": "2.10", "difference": "-1.26"}
    part |= {"low": "-3.00", "high": "0.40", "verdict": "undetermined", "claim_verdict": "does not hold"}
    part |= {"difference_projected": "2.00", "low_projected": "1.00", "high_projected": "3.00"}
    part |= {"verdict_projected": "holds", "claim_verdict_projected": "undetermined"}
    part |= {"scale": "mini", "synthetic": "yes", "seeds": "0", "holds_if_paper_right": "0.1234"}
    part |= {"p_adjusted": "0.0321", "p_adjusted_projected": "1e-07"}
    none = {**dict.fromkeys(part, ""), "claim": "b", "scale": "mini", "verdict": "not run"}
    rows = [{**part, "part": "A > B, K400"}, {**part, "part": "A > B, MiT"}, {**none, "part": "C > D"}]
    pd.DataFrame(rows).to_csv(tmp_path / "claims.csv", index=False)
    frame = page_tables.claims(tmp_path, "claims").data
    assert frame["Claim"][0] == "x &lt; y<br><b>Yₖ: does not hold; Y′ₖ: undetermined</b>"
    assert frame["Claim"][1] == "" and frame["Comparison"][1] == "A &gt; B, MiT"
    assert frame["Paper"].tolist() == ["+2.1", "+2.1", "-"]
    assert frame["Ours, Yₖ"][0] == "-1.3 <small>[-3.0, +0.4]</small>" and frame["Ours, Yₖ"][2] == "-"
    assert frame["Verdict, Y′ₖ"].tolist() == ["holds", "holds", "-"]
    assert (frame["Adjusted p, Yₖ"][0], frame["Adjusted p, Y′ₖ"][0]) == ("0.032", "&lt;0.001")
    assert frame["P(holds) if the paper is right, Yₖ"][0] == "12%"


def test_any_table_is_escaped_rounded_and_numbers_are_to_the_right():
    html = page_tables.frame(pd.DataFrame({"a": ["<b>"], "b": [1.26], "c": [3]}), "t", "less < more").to_html()
    assert "_row0_" not in html  # no identifier a cell
    assert "&lt;b&gt;" in html and ">1.3<" in html and "less &lt; more" in html
    assert "border-collapse" in html  # the look of all tables is still there
    assert "#T_t .col1" in html and "#T_t .col2" in html and "#T_t .col0" not in html


def test_marked_pairs_are_bold():
    html = page_tables.pairs([("A → B", [("x → y", True), ("<z>", False)])], "t", "").to_html()
    assert "<b>x → y</b><br>&lt;z&gt;" in html


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2,3\n"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "x.csv").write_text(content)
    with pytest.raises(UserError, match=r"x\.csv: (no such file|not a readable table|no column)"):
        page_tables.read(tmp_path / "x.csv", ["c"])
