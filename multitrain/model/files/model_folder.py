"""Model folders in the Hugging Face hub's form: model.safetensors, config.json and README.md, the model card.

Nothing in them is executed, and memory for weights is allocated only after names and shapes are checked.
"""

import json
import os
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular
from multitrain.config.base import Settings
from multitrain.config.model_settings import MVIT
from multitrain.model.files.metadata import Card, checked_card
from multitrain.model.files.model_card import readme
from multitrain.model.files.storage import require_numbers, require_same_kinds
from multitrain.model.network import Network, Spec

__all__ = ["CONFIG", "README", "WEIGHTS", "load_folder", "refuse_others", "save_folder", "write_folder"]

WEIGHTS, CONFIG, README = "model.safetensors", "config.json", "README.md"
FORMAT = "multitrain-1"
LARGEST_CONFIG = 1 << 24  # bytes; a thousand classes are some tens of thousands
CURE = "write it anew with `multitrain.save`"

Kind = TypeVar("Kind", bound=Network)


class _Config(Settings):
    """The content of config.json."""

    format: str
    spec: Spec
    card: Card | None = None


def save_folder(folder: Path | str, network: Network) -> None:
    """Write the three files, over those of another network of this project; the same network gives the same bytes.

    Raises:
        UserError: the folder cannot be made or written, or holds files of these names that are another's.
    """
    refuse_others(folder)
    write_folder(folder, network)


def refuse_others(folder: Path | str) -> None:
    """Raise a UserError if one of the three files exists and config.json is not of a network of this project."""
    folder = Path(folder)
    taken = [name for name in (CONFIG, WEIGHTS, README) if os.path.lexists(folder / name)]
    if taken and not _ours(folder / CONFIG):
        raise UserError(
            f"{folder}: {' and '.join(taken)} there would be overwritten, and no {CONFIG} says that it is a network of "
            "this project: choose a new folder"
        )


def write_folder(folder: Path | str, network: Network) -> None:
    """Write the three files, over any of these names."""
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    config = _Config(format=FORMAT, spec=network.spec, card=network.card).model_dump(mode="json")
    content = {  # the configuration first: it marks the folder as ours if writing breaks off
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        WEIGHTS: save(weights, metadata={"format": "pt"}),
        README: readme(network).encode(),
    }
    for name, data in content.items():
        try:
            with atomic(folder / name) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written: {error.strerror or error}") from None


@overload
def load_folder(folder: Path | str) -> Network: ...
@overload
def load_folder(folder: Path | str, kind: type[Kind], cure: str = CURE) -> Kind: ...
def load_folder(folder: Path | str, kind: type[Network] = Network, cure: str = CURE) -> Network:
    """A network in evaluation mode from such a folder; `cure` is what errors advise.

    Raises:
        UserError: a file is missing, damaged or of another network.
    """
    folder = Path(folder)
    spec, card = _read_config(folder / CONFIG, cure)
    path = folder / WEIGHTS
    try:
        with safe_open(regular(path), "pt") as weights:
            _compare(path, cure, spec, {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()})  # noqa: SIM118
            state = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {cure}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged, or no safetensors file ({_line(error)}): {cure}") from None
    require_numbers(path, state, cure)
    network = kind(spec)
    require_same_kinds(path, state, network.state_dict(), cure)
    network.load_state_dict(state)
    network.card = card
    return network.eval()


def _ours(path: Path) -> bool:
    """Whether a config.json is of a network of this project."""
    try:
        config = _read_json(path, CURE)
    except (OSError, UserError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and config.get("format") == FORMAT


def _read_json(path: Path, cure: str) -> Any:
    with regular(path).open("rb") as stream:
        text = stream.read(LARGEST_CONFIG + 1)
    if len(text) > LARGEST_CONFIG:
        raise UserError(f"{path}: longer than {LARGEST_CONFIG} bytes: {cure}")
    return json.loads(text)


def _read_config(path: Path, cure: str) -> tuple[Spec, Card | None]:
    try:
        config = _read_json(path, cure)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise UserError(f"{path}: not of a network of this project: give a folder that `multitrain.save` wrote")
        content = _Config.model_validate(config)
        return content.spec, content.card and checked_card(content.card, content.spec.classes)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: {cure}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {place}: {first['msg']}: it was changed or is of another version") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({_line(error)}): {cure}") from None


def _compare(path: Path, cure: str, spec: Spec, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise a UserError if names or shapes of weights are not those of a network of this specification."""
    blocks = sum(spec.model.depths) if spec.model.backbone == MVIT else 0
    if blocks > len(shapes):  # before a network of as many blocks is made
        raise UserError(f"{path}: fewer weights than {CONFIG} has blocks: the files are of two networks")
    own_code = ":" in spec.model.backbone  # it may not work without data
    try:
        with torch.device("cpu" if own_code else "meta"):
            wanted: dict[str, Tensor] = Network(spec).state_dict()
    except (RuntimeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{path.with_name(CONFIG)}: no network can be made of it ({_line(error)}): {cure}") from None
    for name in sorted(wanted.keys() | shapes.keys()):
        ours = tuple(wanted[name].shape) if name in wanted else "none"
        theirs = shapes.get(name, "none")
        if ours != theirs:
            raise UserError(f"{path}: {name} is {theirs} there, and {ours} by {CONFIG}: the files are of two networks")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
