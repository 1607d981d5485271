"""JSON files: atomic writing, and reading with errors that name the command to run."""

import json
from pathlib import Path
from typing import Any

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic

__all__ = ["read_json", "write_json"]


def write_json(path: Path, content: object, indent: int | None = 2, ascii: bool = True, allow_nan: bool = True) -> None:
    """Write a value as JSON with a newline at the end.

    Raises:
        ValueError: a number is not finite, without `allow_nan`.
    """
    text = json.dumps(content, indent=indent, ensure_ascii=ascii, allow_nan=allow_nan)
    with atomic(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def read_json(path: Path, command: str) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it is missing or not JSON; the cure is to run `command` again.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {command} writes it") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}): {command} writes it anew") from None
