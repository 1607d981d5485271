"""A table as Markdown, to read and to paste."""

from collections.abc import Sequence

from multitrain.analysis.layout import (
    DATASETS,
    TRAINING,
    Lines,
    Rows,
    dataset_lines,
    headings,
    notes,
    our_lines,
    published_lines,
    training_lines,
    world,
)
from multitrain.config import Scale
from multitrain.experiments import Table
from multitrain.markup import Marked, cells

MARKS = {"first": "**{}**", "second": "<u>{}</u>"}


def render(table: Table, scale: Scale, rows: Rows, before: Sequence[str] = ()) -> str:
    """The rows of a table's CSV as Markdown: the published ones, then ours, then what the numbers mean.

    `before`: lines of what was measured of the scale before.
    """
    head = headings(table, scale)
    lines = [f"# {table.title}", "", "## Published", "", "Top-1 / top-5 in percent, as they were printed.", ""]
    published = published_lines(table, scale, rows, MARKS)
    lines += grid(head, [[*line[:3], *map(Marked, line[3:])] for line in published])
    lines += ["", f"## Ours: {world(scale, rows)}", ""]
    lines += grid(head, our_lines(table, scale, rows))
    lines += [*before, "", "How our rows were trained, and on what:", ""]
    lines += [*grid(TRAINING, training_lines(scale, rows)), "", *grid(DATASETS, dataset_lines(table, scale, rows))]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(table, scale, rows))]) + "\n"


def grid(head: list[str], body: Lines) -> list[str]:
    """A Markdown table whose columns are aligned in the text as well; cells are text where they are not `Marked`."""
    rows = [cells(row) for row in (head, *body)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]]
