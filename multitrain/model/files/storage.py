"""Files of torch.save with weights and plain values only: reading executes nothing."""

import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular

__all__ = ["checksum", "finite", "read_plain", "require_numbers", "require_same_kinds", "write_plain"]

KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # data types of stored weights
WHOLE = (torch.int64, torch.int32, torch.uint8, torch.bool)  # of buffers: BatchNorm's counters, tables of indices
LARGEST = torch.finfo(torch.float32).max


def read_plain(path: Path, cure: str, unusable: str | None = None) -> dict:
    """Read the dict in a file; messages end with `cure`, or with `unusable` (if given) for a file that exists.

    Raises:
        UserError: no such file, or one that is damaged or holds more than weights and plain values.
    """
    if not regular(path).is_file():
        raise UserError(f"{path}: no such file: {cure}")
    cure = unusable or cure
    try:
        with warnings.catch_warnings():  # torch warns of a pickle that is not its own
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises many kinds, some with the advice to execute the file
        raise UserError(f"{path}: damaged, or no file of weights alone: {cure}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, no checkpoint: {cure}")
    return content


def require_numbers(path: Path, weights: Mapping[str, Tensor], cure: str) -> None:
    """Raise a UserError if a weight of a file is no number, or not finite in float32.

    Whole numbers are of buffers: `require_same_kinds` checks whether a network has one of that name.
    """
    for name, value in weights.items():
        if value.dtype in WHOLE:
            continue
        if value.dtype not in KINDS:
            kind = str(value.dtype).removeprefix("torch.")
            raise UserError(f"{path}: {name} is of {kind}, where weights are floating-point numbers: {cure}")
        if not finite(value):
            raise UserError(f"{path}: {name} holds numbers that are not finite: {cure}")


def require_same_kinds(path: Path, weights: Mapping[str, Tensor], network: Mapping[str, Tensor], cure: str) -> None:
    """Raise a UserError if a file has whole numbers where the network's state has others, or the reverse."""
    for name, value in weights.items():
        ours = network.get(name)
        if ours is not None and ours.is_floating_point() != value.is_floating_point():
            kinds = [str(each.dtype).removeprefix("torch.") for each in (value, ours)]
            raise UserError(f"{path}: {name} is of {kinds[0]}, where the network has {kinds[1]}: {cure}")


def finite(value: Tensor) -> bool:
    """Whether all of a floating-point tensor's numbers are finite in float32; one pass, 40 ms for 60 million."""
    if not value.numel():
        return True
    least, largest = (end.item() for end in torch.aminmax(value.detach()))
    return least >= -LARGEST and largest <= LARGEST


def write_plain(path: Path, content: dict) -> None:
    """Write weights and plain values; the same content gives the same bytes."""
    # through a buffer: an archive written straight to a file carries the file's temporary name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def checksum(content: object) -> str:
    """SHA-256 of weights and plain values: of every key, value, shape and byte, in their order.

    torch does not check the checksums of its own archives: it reads a weight with a changed bit without an error.
    """
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: object) -> Iterator[bytes | memoryview]:
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)};".encode()
        yield value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data
    elif isinstance(value, Mapping | list | tuple):
        parts = [part for pair in value.items() for part in pair] if isinstance(value, Mapping) else value
        yield f"{'dict' if isinstance(value, Mapping) else 'list'} {len(value)};".encode()
        for part in parts:
            yield from _pieces(part)
    else:
        yield f"{type(value).__name__} {value!r};".encode()
