"""Files written by torch: weights and plain values only, nothing in them is executed."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from multitrain.errors import UserError
from multitrain.files import atomic, regular

KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # of numbers that a weight can be stored as
LARGEST = torch.finfo(torch.float32).max


def read_plain(path: Path, cure: str, unusable: str | None = None) -> dict:
    """The dict that a file holds; `cure` is of a file that is not there, `unusable` of another one, if they differ.

    Raises:
        UserError: no such file, or one that is damaged or holds more than weights and plain values.
    """
    if not regular(path).is_file():
        raise UserError(f"{path}: no such file: {cure}")
    cure = unusable or cure
    try:
        with warnings.catch_warnings():  # of a pickle that is not torch's it asks to tell its makers
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises many kinds, some with the advice to execute the file; each means the same here
        raise UserError(f"{path}: damaged, or no file of weights alone: {cure}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, no checkpoint: {cure}")
    return content


def require_numbers(path: Path, weights: Mapping[str, Tensor], cure: str) -> None:
    """Raises a UserError where a weight of a file is of another kind than floating point, or not finite in float32.

    The least and the largest tell it in one pass, without a tensor of answers: 40 ms for 60 million weights.
    """
    for name, value in weights.items():
        if value.dtype not in KINDS:
            kind = str(value.dtype).removeprefix("torch.")
            raise UserError(f"{path}: {name} is of {kind}, where weights are floating-point numbers: {cure}")
        if value.numel():
            least, largest = (end.item() for end in torch.aminmax(value.detach()))
            if not (least >= -LARGEST and largest <= LARGEST):
                raise UserError(f"{path}: {name} holds numbers that are not finite: {cure}")


def write_plain(path: Path, content: dict) -> None:
    """Write weights and plain values; the same content gives the same bytes."""
    # through a buffer: an archive written straight to a file carries the file's temporary name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
