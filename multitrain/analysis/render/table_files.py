"""Files of tables: rows of typed values as CSV and back, and text."""

import csv
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from multitrain.analysis.render.columns import FILES, Columns
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.csv_files import write_csv

Row = dict[str, object]  # numbers as numbers; a value that is not there is no key
Rows = list[Row]


def settled(rows: Iterable[Row], columns: Columns) -> Rows:
    """Rows whose numbers have the digits that the CSV file prints; without those that are None."""
    return [{key: columns[key].settled(value) for key, value in row.items() if value is not None} for row in rows]


def write_rows(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Rows as a CSV file; a column that a row does not have is empty."""
    texts = ({key: columns[key].text(value) for key, value in row.items() if value is not None} for row in rows)
    write_csv(path, tuple(columns), texts)


def read_frame(path: Path, needs: Iterable[str] = ()) -> pd.DataFrame:
    """A table of results: numbers as numbers, NaN where empty; text as it stands, "" where empty.

    Which columns of a CSV file are numbers is said in FILES; those of a file that is not there are text.

    Raises:
        UserError: the file is missing or unreadable, lacks one of the columns `needs`, or has text for a number.
    """
    table, cure = _needed(path, needs)
    numbers = [name for name, column in FILES.get(path.name, {}).items() if column.is_number and name in table]
    return with_numbers(table, numbers, path, cure)


def read_rows(path: Path, needs: Iterable[str] = ()) -> Rows:
    """The rows of a CSV file of results as they were written; a cell that is empty and no text is no key.

    Raises:
        UserError: as of `read_frame`.
    """
    table, cure = _needed(path, needs)
    try:
        return [_typed(row, FILES[path.name]) for row in table.to_dict("records")]
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: not a table of this version ({error}): {cure}") from None


def _needed(path: Path, needs: Iterable[str]) -> tuple[pd.DataFrame, str]:
    """A file that has the columns `needs`, and what makes the file."""
    cure = f"run `snakemake {path}` first"
    table = load(path, cure)
    if lacking := [name for name in needs if name not in table]:
        raise UserError(f"{path}: no column {lacking[0]!r}: {cure}")
    return table, cure


def load(path: Path, cure: str, filters: list | None = None) -> pd.DataFrame:
    """A Parquet file, its rows that pass the `filters`, or a CSV file as text.

    Raises:
        UserError: it is not there or cannot be read; it ends with the `cure`.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file: {cure}")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path, filters=filters)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())}): {cure}") from None


def with_numbers(table: pd.DataFrame, columns: Iterable[str], path: Path, cure: str) -> pd.DataFrame:
    """The table with these columns as floats, NaN where empty; a UserError names the first cell that is none."""
    for column in columns:
        values = table[column].replace("", None)
        found = pd.to_numeric(values, errors="coerce")
        if (wrong := found.isna() & values.notna()).any():
            row = int(wrong.to_numpy().argmax())
            raise UserError(f"{path}: row {row + 1}: {column} is {values.iloc[row]!r}, not a number: {cure}")
        table[column] = found.astype(float)
    return table


def read_published(path: Path, columns: Columns, needs: Iterable[str]) -> Rows:
    """The rows of one of the paper's tables, in their order; numbers keep their printed text.

    Raises:
        UserError: it is not there, has other columns, lacks one of `needs`, or has text for a number.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such published table")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        names = reader.fieldnames or []
        if not set(needs) <= set(names) <= set(columns):
            raise UserError(f"{path}: columns {names} are not those of a published table")
        rows = []
        for row in reader:
            try:
                if None in row or None in row.values():
                    raise ValueError("not as many cells as columns")
                rows.append(_typed(row, columns))
                for name, value in rows[-1].items():
                    if isinstance(value, float) and not math.isfinite(value):
                        raise ValueError(f"{name} is {row[name]!r}: it takes a number")
            except ValueError as error:
                raise UserError(f"{path}: line {reader.line_num}: {error}: correct the row") from None
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
    """Write a file, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
