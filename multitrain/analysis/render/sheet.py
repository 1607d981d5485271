"""Format-independent tables: headings, groups of rows, and cells of styled text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Grid", "Piece", "Section", "Sheet", "Styled", "Syntax"]


@dataclass(frozen=True)
class Styled:
    """Text set in one of the styles bold, underline and small."""

    text: str
    style: str


Piece = str | Styled
Cell = Piece | tuple[Piece, ...]  # several pieces are a list


@dataclass(frozen=True)
class Grid:
    """A table's head and rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """A group of rows under a heading; `lead` stands below the heading where there is room."""

    heading: str
    rows: Sequence[Sequence[Cell]]
    lead: str = ""
    whole: str = ""  # heading where there is no room below it


@dataclass(frozen=True)
class Sheet:
    """A table: groups of rows with the same columns, and notes below it."""

    title: str
    head: Sequence[str]
    sections: Sequence[Section]
    notes: Sequence[str]
    align: str  # of the columns, as LaTeX has it


@dataclass(frozen=True)
class Syntax:
    """How a format writes the text of a cell."""

    escape: Callable[[str], str]
    styles: Mapping[str, str]
    between: str  # pieces of a list

    def cell(self, cell: Cell) -> str:
        return self.between.join(map(self._piece, cell if isinstance(cell, tuple) else (cell,)))

    def _piece(self, piece: Piece) -> str:
        if isinstance(piece, Styled):
            return self.styles[piece.style].format(self.escape(piece.text))
        return self.escape(piece)
