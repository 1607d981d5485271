"""Markdown escaping of the user's text, such as class names, and rows of tables."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["Marked", "grid", "line", "markdown"]

# What starts emphasis, code, a cell, a tag, an entity or a link; not an underscore within a word, a lone & or a lone [.
SPECIAL = re.compile(r"[\\`*|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|<|\[(?=[^\]]*\][\[(:])")
ENTITIES = {"<": "&lt;", "&": "&amp;"}


class Marked(str):
    """A cell that is Markdown already."""

    __slots__ = ()


def markdown(text: str) -> str:
    """The text escaped for Markdown, on one line, also for a table."""
    return SPECIAL.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), " ".join(text.split()))


def line(row: Sequence[str]) -> str:
    """A row of a Markdown table; cells that are not `Marked` are escaped."""
    return f"| {' | '.join(cell if isinstance(cell, Marked) else markdown(cell) for cell in row)} |"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line's end after its last row."""
    return "\n".join(map(line, (head, ["---"] * len(head), *rows)))
