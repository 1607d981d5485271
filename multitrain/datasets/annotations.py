"""Publishers' text files, read so that whatever is wrong is told with file and line."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from multitrain.common.errors import UserError

__all__ = ["csv_rows", "decoded", "first_of", "headed_rows", "json_content"]

Kind = TypeVar("Kind")


def first_of(folders: list[Path], names: list[str], what: str, cure: str) -> Path:
    """The first existing path `folder / name`, or a UserError that says what was looked for and what to do."""
    for folder in folders:
        for name in names:
            if (folder / name).exists():
                return folder / name
    raise UserError(f"{folders[0] / names[0]}: no {what} there (looked for {', '.join(names)}): {cure}")


def decoded(content: bytes, where: str) -> str:
    """UTF-8 text, with or without the mark some editors put before it."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: byte {error.start} is no UTF-8 text: get the publisher's file again") from None


def csv_rows(content: bytes, where: str) -> Iterator[tuple[str, list[str]]]:
    """Rows that are not blank, each with its place `file:line`; cells without the blanks around them."""
    reader = csv.reader(io.StringIO(decoded(content, where), newline=""), skipinitialspace=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{where}:{reader.line_num}: not valid CSV: {error}") from None
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield f"{where}:{reader.line_num}", cells


def headed_rows(content: bytes, where: str, required: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV with a header, as dicts by the header's names in lower case."""
    rows = csv_rows(content, where)
    _, header = next(rows, ("", []))
    names = [name.lower() for name in header]
    lacking = [name for name in required if name not in names]
    if lacking:
        raise UserError(f"{where}:1: no column {', '.join(lacking)} in the header {','.join(header) or '(empty)'}")
    for place, cells in rows:
        if len(cells) != len(names):
            raise UserError(f"{place}: {len(cells)} values where the header names {len(names)}")
        yield place, dict(zip(names, cells, strict=True))


def json_content(content: bytes, where: str, kind: type[Kind]) -> Kind:
    """A JSON file's content, which must be of that kind (dict or list)."""
    try:
        value = json.loads(decoded(content, where))
    except json.JSONDecodeError as error:
        raise UserError(f"{where}:{error.lineno}: not valid JSON: {error.msg}") from None
    if not isinstance(value, kind):
        raise UserError(f"{where}: holds a {type(value).__name__} where a {kind.__name__} was expected")
    return value
