"""Markdown escaping of the user's text, such as class names, and rows of tables."""

import re
from collections.abc import Sequence

__all__ = ["Marked", "cells", "line", "markdown"]

# What begins emphasis, code, a cell, a tag, an entity or a link. An underscore within a word, a lone & or [ is none.
SPECIAL = re.compile(r"[\\`*|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|<|\[(?=[^\]]*\][\[(:])")
ENTITIES = {"<": "&lt;", "&": "&amp;"}


class Marked(str):
    """A cell that is Markdown already."""

    __slots__ = ()


def markdown(text: str) -> str:
    """The text escaped for Markdown, on one line, also for a table."""
    return SPECIAL.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), " ".join(text.split()))


def cells(row: Sequence[str]) -> list[str]:
    """The cells of a Markdown table's row, of which those that are not `Marked` are text."""
    return [cell if isinstance(cell, Marked) else markdown(cell) for cell in row]


def line(row: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells(row))} |"
