"""CSV files with a header: atomic writing in UTF-8 with `\n` at line ends, and reading with named errors."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_header", "read_csv", "write_csv", "write_frame"]


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


def csv_header(path: Path) -> list[str]:
    """The names of the columns, of a table that `read_csv` can read."""
    with path.open(newline="", encoding="utf-8") as stream:
        return next(csv.reader(stream), [])


def read_csv(path: Path, columns: Sequence[str], cure: str) -> list[tuple[int, dict[str, str]]]:
    """Rows with the line that each ends at, of a table with at least these columns.

    Raises:
        UserError: it is not there, lacks a column or cannot be read; the message ends with the cure.
    """
    try:
        with regular(path).open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, strict=True)
            if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise UserError(f"{path}: no column {lacking[0]!r}: it takes {', '.join(columns)}: {cure}")
            return [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {cure}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable table ({error}): {cure}") from None
