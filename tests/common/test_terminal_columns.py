"""A table fits a terminal; in a file it is plain, aligned and one line a row."""

import io
import sys

import pytest

from multitrain.common.terminal_columns import columns, plain, show

HEAD, LONG = ("name", "count", "[bold]"), "word " * 60
ROWS = [("a", "1", "x"), (LONG.strip(), "1,000", "[red]y[/red]")]


def test_names_are_to_the_left_and_numbers_to_the_right():
    lines = plain(columns(HEAD[:2], [("a", "1"), ("bcdef", "1,000")]))
    assert lines == ["name   count", "a          1", "bcdef  1,000"]
    assert plain(columns(HEAD[:2], [("a", "1"), ("bcdef", "")], left=2)) == ["name   count", "a      1", "bcdef"]


class Screen(io.StringIO):
    """Stands for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("out", "lines"), [(io.StringIO, 3), (Screen, 8)])
def test_a_file_is_plain_and_a_terminal_is_fitted(out, lines, monkeypatch):
    """Whatever the environment wants of terminals; no cell is taken for markup."""
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", out())
    show(columns(HEAD, ROWS))
    said = sys.stdout.getvalue()
    assert "[bold]" in said and "[red]y[/red]" in said
    if out is Screen:
        assert "\x1b[" in said and len(said.splitlines()) > lines
    else:
        assert "\x1b[" not in said and len(said.splitlines()) == lines and LONG.strip() in said
