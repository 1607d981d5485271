"""Model files and resume points, written beside and renamed."""

import io
import json
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.model.network import Network, Spec
from multitrain.model.storage import read_plain

FORMAT = "multitrain-1"


def _write(path: Path, content: dict) -> None:
    # through a buffer: an archive written straight to a file carries the file's temporary name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _read(path: Path, cure: str) -> dict:
    content = read_plain(path, cure)
    if content.get("format") != FORMAT:
        raise UserError(f"{path}: not a checkpoint of this project: import a release's file with `checkpoint import`")
    return content


def save_network(path: Path, network: Network) -> None:
    """Write the weights and the specification; the same weights give the same bytes."""
    spec = network.spec.model_dump_json()
    _write(path, {"format": FORMAT, "spec": spec, "weights": network.state_dict()})


def read_weights(path: Path) -> tuple[Spec, dict[str, Tensor]]:
    """The specification and weights of a model file.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    content = _read(path, "train the run, or import a checkpoint, first")
    try:
        return Spec.model_validate(json.loads(content["spec"])), content["weights"]
    except (KeyError, TypeError, ValueError, ValidationError):
        raise UserError(f"{path}: its specification cannot be read: it was written by another version") from None


def load_network(path: Path | str) -> Network:
    """A network in evaluation mode from a model file; see `read_weights` for the errors."""
    path = Path(path)
    spec, weights = read_weights(path)
    network = Network(spec)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: weights and specification disagree: {str(error).splitlines()[1].strip()}") from None
    return network.eval()


def save_resume(path: Path, **state: object) -> None:
    """Write a resume point; the one before it stays as `previous` until the new one is whole."""
    if path.exists():
        path.replace(path.with_suffix(".previous"))
    _write(path, {"format": FORMAT, **state})


def read_resume(path: Path, warn) -> dict | None:
    """The newest whole resume point, or None; `warn` is told of a damaged one."""
    for candidate in (path, path.with_suffix(".previous")):
        if candidate.exists():
            try:
                return _read(candidate, "the one before it is used")
            except UserError as error:
                warn(str(error))
    return None
