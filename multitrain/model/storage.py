"""Reading files written by torch: weights and plain values only, nothing in them is executed."""

from pathlib import Path

import torch

from multitrain.errors import UserError


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
