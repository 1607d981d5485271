"""Files written by torch: weights and plain values only, nothing in them is executed."""

import io
from pathlib import Path

import torch

from multitrain.errors import UserError
from multitrain.files import atomic


def read_plain(path: Path, cure: str) -> dict:
    """The dict that a file holds.

    Raises:
        UserError: no such file, or one that is damaged or holds more than weights and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file: {cure}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises many kinds, some with the advice to execute the file; each means the same here
        raise UserError(f"{path}: damaged, or no file of weights alone: {cure}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, no checkpoint: {cure}")
    return content


def write_plain(path: Path, content: dict) -> None:
    """Write weights and plain values; the same content gives the same bytes."""
    # through a buffer: an archive written straight to a file carries the file's temporary name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
