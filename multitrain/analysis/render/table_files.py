"""Reading and writing of result tables as CSV with typed columns, and of text files."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from multitrain.analysis.render.columns import COUNT, FILES, TABLE, Column, Columns
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.csv_files import csv_header, read_csv, write_csv

__all__ = [
    "Row",
    "Rows",
    "as_printed",
    "made_by",
    "read_frame",
    "read_published",
    "read_rows",
    "write_rows",
    "write_text",
]

Row = dict[str, Any]  # cells are of the kinds that `columns` says; a value that is not there is no key
Rows = list[Row]


def as_printed(rows: Iterable[Row], columns: Columns) -> Rows:
    """Rows with numbers rounded as the CSV file prints them, without cells that are None."""
    return [{key: columns[key].as_printed(value) for key, value in row.items() if value is not None} for row in rows]


def write_rows(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Write rows as a CSV file; a column that a row does not have is empty."""
    texts = ({key: columns[key].text(value) for key, value in row.items() if value is not None} for row in rows)
    write_csv(path, tuple(columns), texts)


def read_frame(path: Path, needs: Iterable[str] = (), run: str | None = None) -> pd.DataFrame:
    """A table of results: numbers as numbers, NaN where empty; lists as tuples; text as it stands, "" where empty.

    Which columns are numbers or lists is said in FILES; another CSV file is a table of runs. `run`: of a Parquet file
    that run's rows alone, so that millions of rows are not read for one run.

    Raises:
        UserError: the file is missing or unreadable, lacks one of the columns `needs`, or has text for a number.
    """
    cure = made_by(path)
    if path.suffix == ".parquet":
        table = _read_parquet(path, needs, run, cure)
    else:
        rows = [row for _, row in _read_csv(path, needs, cure)]
        table = pd.DataFrame(rows, columns=None if rows else csv_header(path), dtype=object)
    for name, column in FILES.get(path.name, TABLE if path.suffix == ".csv" else {}).items():
        if name in table and (column.is_number or column.is_list):
            read = _numbers if column.is_number else _lists
            table[name] = read(table[name], column, f"{path}: row {{}}: {name} is {{!r}}, not a number: {cure}")
    return table


def read_rows(path: Path, needs: Iterable[str] = ()) -> Rows:
    """The rows of a CSV file of results as they were written; a cell that is empty and no text is no key.

    Raises:
        UserError: as of `read_frame`.
    """
    cure = made_by(path)
    rows = _read_csv(path, needs, cure)
    try:
        return [_typed(row, FILES.get(path.name, TABLE)) for _, row in rows]
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: not a table of this version ({error}): {cure}") from None


def made_by(path: Path) -> str:
    """The cure for a missing or wrong results file, as text."""
    return f"`snakemake {path}` makes it"


def _read_csv(path: Path, needs: Iterable[str], cure: str) -> list[tuple[int, dict[str, str]]]:
    rows = read_csv(path, tuple(needs), cure)
    for line, row in rows:
        if None in row or None in row.values():
            raise UserError(f"{path}: line {line}: not as many cells as columns: {cure}")
    return rows


def _read_parquet(path: Path, needs: Iterable[str], run: str | None, cure: str) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path}: no such file: {cure}")
    try:
        table = pd.read_parquet(path, filters=None if run is None else [("run", "==", run)])
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())}): {cure}") from None
    if lacking := [name for name in needs if name not in table]:
        raise UserError(f"{path}: no column {lacking[0]!r}: it takes {', '.join(needs)}: {cure}")
    return table


def _numbers(cells: pd.Series, column: Column, message: str) -> pd.Series:
    """Whole numbers as such where every cell has one, else floats, NaN where empty."""
    values = cells.replace("", None)
    numbers = pd.to_numeric(values, errors="coerce")
    if (wrong := numbers.isna() & values.notna()).any():
        row = int(wrong.to_numpy().argmax())
        raise UserError(message.format(row + 1, values.iloc[row]))
    return numbers if column is COUNT and not numbers.isna().any() else numbers.astype(float)


def _lists(cells: pd.Series, column: Column, message: str) -> pd.Series:
    for row, text in enumerate(cells, start=1):
        try:
            column.read(text)
        except ValueError:
            raise UserError(message.format(row, text)) from None
    return cells.map(column.read)


def read_published(path: Path, columns: Columns, needs: Iterable[str]) -> Rows:
    """The rows of one of the paper's tables, in their order; numbers keep their printed text.

    Raises:
        UserError: it is not there, has other columns, lacks one of `needs`, or has text for a number.
    """
    rows = []
    for line, row in _read_csv(path, needs, "correct or restore the published table"):
        try:
            if unknown := [name for name in row if name not in columns]:
                raise ValueError(f"{unknown[0]!r} is no column of a published table")
            rows.append(_typed(row, columns))
            for name, value in rows[-1].items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(f"{name} is {row[name]!r}: it takes a number")
        except ValueError as error:
            raise UserError(f"{path}: line {line}: {error}: correct the row") from None
    return rows


def _typed(row: dict[str, str], columns: Columns) -> Row:
    """A row's values; a ValueError says which text is none of its column."""
    values = {}
    for name, text in row.items():
        if text or columns[name].read is str:
            try:
                values[name] = columns[name].read(text)
            except ValueError:
                raise ValueError(f"{name} is {text!r}: it takes a number") from None
    return values


def write_text(path: Path, text: str) -> None:
    """Atomic write of a text file."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
