"""A network as a folder that others can read: model.safetensors, config.json and a README.md, the hub's model card.

Nothing in it is executed, and no memory is taken for weights before names and shapes are seen to be the network's.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.model.card import Card, fitting
from multitrain.model.network import Network, Spec
from multitrain.model.readme import readme
from multitrain.settings import Settings

WEIGHTS, CONFIG, README = "model.safetensors", "config.json", "README.md"
FORMAT = "multitrain-1"
LARGEST_CONFIG = 1 << 24  # bytes; a thousand classes are some tens of thousands
CURE = "write it anew with `multitrain.save`"

Kind = TypeVar("Kind", bound=Network)


class _Config(Settings):
    """What config.json holds."""

    format: str
    spec: Spec
    card: Card | None = None


def save_folder(folder: Path | str, network: Network) -> None:
    """Write the three files; the same network gives the same bytes.

    Raises:
        UserError: the folder cannot be made or written.
    """
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    config = _Config(format=FORMAT, spec=network.spec, card=network.card).model_dump(mode="json")
    content = {
        WEIGHTS: save(weights, metadata={"format": "pt"}),
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        README: readme(network).encode(),
    }
    for name, data in content.items():
        try:
            with atomic(folder / name) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written: {error.strerror or error}") from None


def load_folder(folder: Path | str, kind: type[Kind] = Network) -> Kind:
    """A network in evaluation mode from such a folder.

    Raises:
        UserError: a file is missing, damaged or of another network.
    """
    folder = Path(folder)
    spec, card = _read_config(folder / CONFIG)
    path = folder / WEIGHTS
    try:
        with safe_open(path, "pt") as weights:
            _compare(path, spec, {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()})  # noqa: SIM118
            state = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {CURE}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged, or no safetensors file ({_line(error)}): {CURE}") from None
    network = kind(spec)
    network.load_state_dict(state)
    network.card = card
    return network.eval()


def _read_config(path: Path) -> tuple[Spec, Card | None]:
    try:
        with path.open("rb") as stream:
            text = stream.read(LARGEST_CONFIG + 1)
        if len(text) > LARGEST_CONFIG:
            raise UserError(f"{path}: longer than {LARGEST_CONFIG} bytes: {CURE}")
        config: Any = json.loads(text)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise UserError(f"{path}: not of a network of this project: give a folder that `multitrain.save` wrote")
        found = _Config.model_validate(config)
        return found.spec, found.card and fitting(found.card, found.spec.classes)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: {CURE}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {place}: {first['msg']}: it was changed or is of another version") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({_line(error)}): {CURE}") from None


def _compare(path: Path, spec: Spec, found: dict[str, tuple[int, ...]]) -> None:
    """Raises a UserError where names or shapes are not those of a network of this specification."""
    if sum(spec.model.depths) > len(found):  # before a network of as many blocks is made
        raise UserError(f"{path}: fewer weights than {CONFIG} has blocks: the files are of two networks")
    try:
        with torch.device("meta"):
            wanted: dict[str, Tensor] = Network(spec).state_dict()
    except (RuntimeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{path.with_name(CONFIG)}: no network can be made of it ({_line(error)}): {CURE}") from None
    for name in sorted(wanted.keys() | found.keys()):
        ours = tuple(wanted[name].shape) if name in wanted else "none"
        theirs = found.get(name, "none")
        if ours != theirs:
            raise UserError(f"{path}: {name} is {theirs} there, and {ours} by {CONFIG}: the files are of two networks")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
