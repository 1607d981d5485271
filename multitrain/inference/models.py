"""Loading of a network: a run's file, a saved folder, a release's checkpoint, or a name on the hub."""

import re
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import regular
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.model.files.model_folder import CONFIG, WEIGHTS, load_folder
from multitrain.model.files.release import import_release
from multitrain.model.network import Network

__all__ = ["load"]

HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name


def load(where: Path | str) -> Network:
    """The network of a model file, a saved folder, a release's .pyth or `owner/name` of the Hugging Face hub.

    An existing file or folder wins over a name of the hub. The network is in evaluation mode.

    Raises:
        UserError: nothing of that name, damaged, or of another kind.
    """
    path = Path(where)
    if not str(where).strip():
        raise UserError("the model's name is empty: a variable of the shell may not be set")
    if path.is_dir():
        if regular(path / CONFIG).is_file():
            return load_folder(path)
        if regular(path / "model.pt").is_file():  # a run's folder
            return load_network(path / "model.pt")
        raise UserError(f"{path}: a folder without a model: neither {CONFIG} nor model.pt is in it")
    if path.exists():
        if path.name == WEIGHTS:
            return load_folder(path.parent)
        return import_release(path).eval() if path.suffix == ".pyth" else load_network(path)
    name = str(where)
    if HUB.fullmatch(name) and path.suffix not in (".pt", ".pyth", ".safetensors"):
        try:
            from multitrain.model.files.hub import load_hub  # needs an optional package
        except UserError as error:
            raise UserError(f"{name}: no such file or folder; {error}") from None
        return load_hub(name)
    raise UserError(
        f"{name}: no such file or folder, and no owner/name of the Hugging Face hub: give a run's model.pt, "
        "a folder that `multitrain.save` wrote, or a release's .pyth"
    )
