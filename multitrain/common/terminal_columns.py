"""Tables on standard output: fitted to a terminal; in a file or a pipe plain, and one line a row."""

import io
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["columns", "plain", "show"]

UNLIMITED = 10_000  # columns of a file or a pipe


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> Table:
    """A table without lines: the first `left` columns left-aligned, the others, numbers, right-aligned."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(head):
        table.add_column(Text(name), justify="left" if place < left else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def plain(table: Table) -> list[str]:
    """The lines of a table as plain text, however long."""
    out = io.StringIO()
    Console(file=out, width=UNLIMITED, color_system=None, force_terminal=False).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def show(table: Table) -> None:
    """Print a table."""
    if sys.stdout.isatty():
        Console().print(table)
    else:
        sys.stdout.writelines(f"{line}\n" for line in plain(table))
