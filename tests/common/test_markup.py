"""Escaping of class names in Markdown and LaTeX: what is shown is the name."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from multitrain.analysis.render.latex import escape, literal
from multitrain.analysis.render.markdown import document
from multitrain.analysis.render.sheet import Grid
from multitrain.common.markup import Marked, line, markdown

ODD = ["a|b", "<b>x</b>", "a & b", "&lt;", "`code`", "**bold**", "_x_ y_z", "[a](b)", "[Something] falls", "a\nb"]
ODD += ["\\|", "~~x~~", "<!-- x -->", "<a@b.c>"]
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)
READER = MarkdownIt("gfm-like", {"linkify": False})


def shown(page: str) -> list[list[str]]:
    """The texts of the cells of a rendered page; a tag in one is an error."""
    rows = re.findall(r"<tr>(.*?)</tr>", READER.render(page), re.S)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    assert not any("<" in cell for row in found for cell in row), "a tag"
    return [[html.unescape(cell) for cell in row] for row in found]


@given(st.lists(TEXT | st.sampled_from(ODD), min_size=1, max_size=4))
def test_a_cell_shows_what_it_holds(names):
    seen = [" ".join(name.split()) for name in names]
    page = document([Grid(["name", "n"], [[name, "1"] for name in names])])
    assert shown(page) == [["name", "n"], *([name, "1"] for name in seen)]


@pytest.mark.parametrize("name", [*ODD, "playing+sports", "Pushing [something] (left_right)", "3-point shot!"])
def test_a_sentence_shows_what_it_holds(name):
    page = READER.render(f"Not scored: {markdown(name)}, more.")
    assert page.count("<") == 2, "a tag"
    assert html.unescape(page) == f"<p>Not scored: {' '.join(name.split())}, more.</p>\n"


def test_common_names_stay_readable():
    for name in (
        "playing+sports",
        "side_kick",
        "Holding something next to something",
        "[Something] falling",
        "a > b & c",
    ):
        assert markdown(name) == name


def test_what_is_marked_already_is_left_alone():
    assert line([Marked("**a|b**"), "a|b"]) == r"| **a|b** | a\|b |"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("50% & more_#1", r"50\% \& more\_\#1"),
        (r"a\b{c}$d^e~f", r"a\textbackslash{}b\{c\}\$d\textasciicircum{}e\textasciitilde{}f"),
        ("a<b>|`c", r"a\textless{}b\textgreater{}\textbar{}\textasciigrave{}c"),
        ("a\nb → c", r"a b $\to$ c"),
    ],
)
def test_a_name_in_latex(name, told):
    assert literal(name) == told


def test_our_own_words_in_latex_may_be_code():
    assert escape("scale `ci_1`: Y′ₖ, 5% <") == r"scale \texttt{ci\_1}: $Y'_k$, 5\% \textless{}"
