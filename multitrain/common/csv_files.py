"""CSV writer: UTF-8, a header line, `\n` at line ends, atomic."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multitrain.files import atomic

if TYPE_CHECKING:
    import pandas as pd


Row = Mapping[str, object] | Sequence[object]


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows under a header; of a mapping the values of `columns`, empty where it has none.

    Raises:
        ValueError: a mapping has a key that is no column.
    """
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            if isinstance(row, Mapping):
                if unknown := [key for key in row if key not in columns]:
                    raise ValueError(f"{path}: no column {unknown[0]!r}: the columns are {', '.join(columns)}")
                row = [row.get(name, "") for name in columns]
            writer.writerow(row)


def write_frame(path: Path | str, frame: "pd.DataFrame", float_format: str | None = None) -> None:
    """Write a data frame without its index; `float_format` is a format of a number, e.g. "%.2f"."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format=float_format)
