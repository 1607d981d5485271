"""Parsing of publishers' CSV and JSON files; an error names the file and the line."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from multitrain.common.errors import UserError

__all__ = ["csv_records", "csv_rows", "decode_text", "find_first", "parse_json"]

Kind = TypeVar("Kind")


def find_first(folders: list[Path], names: list[str], what: str, cure: str) -> Path:
    """The first existing path `folder / name`, or a UserError with the names tried and the cure."""
    for folder in folders:
        for name in names:
            if (folder / name).exists():
                return folder / name
    raise UserError(f"{folders[0] / names[0]}: no {what} there (looked for {', '.join(names)}): {cure}")


def decode_text(content: bytes, where: str) -> str:
    """UTF-8 text, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: byte {error.start} is no UTF-8 text: get the publisher's file again") from None


def csv_rows(content: bytes, where: str) -> Iterator[tuple[str, list[str]]]:
    """Rows of a CSV that are not blank, each with its place `file:line`; cells are stripped."""
    reader = csv.reader(io.StringIO(decode_text(content, where), newline=""), skipinitialspace=True)
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


def csv_records(content: bytes, where: str, required: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV with a header, as dicts by the header's names in lower case."""
    rows = csv_rows(content, where)
    _, header = next(rows, ("", []))
    names = [name.lower() for name in header]
    absent = [name for name in required if name not in names]
    if absent:
        raise UserError(f"{where}:1: no column {', '.join(absent)} in the header {','.join(header) or '(empty)'}")
    for place, cells in rows:
        if len(cells) != len(names):
            raise UserError(f"{place}: {len(cells)} values where the header names {len(names)}")
        yield place, dict(zip(names, cells, strict=True))


def parse_json(content: bytes, where: str, kind: type[Kind]) -> Kind:
    """The content of a JSON file of the type `kind` (dict or list)."""
    try:
        value = json.loads(decode_text(content, where))
    except json.JSONDecodeError as error:
        raise UserError(f"{where}:{error.lineno}: not valid JSON: {error.msg}") from None
    if not isinstance(value, kind):
        raise UserError(f"{where}: holds a {type(value).__name__} where a {kind.__name__} was expected")
    return value
