"""Markdown of tables and of pages with tables."""

from collections.abc import Iterable, Sequence

from multitrain.analysis.render.sheet import Grid, Section, Sheet, Syntax
from multitrain.common.markup import markdown as escape

__all__ = ["Block", "bullets", "document", "page"]

SYNTAX = Syntax(escape, {"bold": "**{}**", "underline": "<u>{}</u>"}, "; ")
Block = str | Grid


def document(blocks: Iterable[Block]) -> str:
    """Blocks with an empty line between them; empty ones are left out."""
    return "\n\n".join(block if isinstance(block, str) else _grid(block) for block in blocks if block) + "\n"


def bullets(texts: Iterable[str]) -> str:
    """A list as a block."""
    return "\n".join(f"- {text}" for text in texts)


def page(sheet: Sheet, more: Sequence[Block] = ()) -> str:
    """A table as a page: a heading and a grid a group of rows, then `more`, then the notes."""
    sections = [block for section in sheet.sections for block in _section(sheet, section)]
    return document([f"# {sheet.title}", *sections, *more, bullets(sheet.notes)])


def _section(sheet: Sheet, section: Section) -> list[Block]:
    return [f"## {section.heading}", section.lead, Grid(sheet.head, section.rows)]


def _grid(grid: Grid) -> str:
    """A table whose columns are aligned in the text as well."""
    rows = [[SYNTAX.cell(cell) for cell in row] for row in (grid.head, *grid.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)
