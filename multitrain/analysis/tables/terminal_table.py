"""Terminal output of a table: top-1 of our rows in 80 columns, and the path of the rest."""

from pathlib import Path

from multitrain.analysis.render.cells import percent
from multitrain.analysis.render.table_files import Rows
from multitrain.analysis.tables.table_layout import our_rows_of, setting
from multitrain.config.experiments import Table
from multitrain.config.scale import Scale

__all__ = ["render"]


def render(path: Path, table: Table, scale: Scale, rows: Rows) -> str:
    """Top-1 in percent of our rows of <path>.csv, by Y_k and, where there is one, by Y'_k."""
    ours = our_rows_of(rows)
    lines = [["top-1, %", *(scale.dataset(name).title for name in table.datasets)]]
    for method in dict.fromkeys(row["method"] for row in ours):
        for key, mark in (("top1", ""), ("top1_projected", ", Y'_k")):
            found = {row["dataset"]: row[key] for row in ours if row["method"] == method and key in row}
            if found:
                lines.append([method + mark, *(percent(found.get(name)) for name in table.datasets)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    synthetic = any(row["synthetic"] == "yes" for row in ours)
    said = setting(scale, synthetic, ours[0]["seeds"] if ours else []).replace("`", "")
    return "\n".join(
        [
            "",
            *("  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for name, *cells in lines),
            "",
            said,
            f"Intervals, top-5, the paper's rows and how these were trained: {path}.md; .csv and .tex have the same.",
        ]
    )
