"""Initial weights of a backbone from a file of its state_dict, such as torchvision's."""

from pathlib import Path

from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.model.backbones.contract import BackboneModule
from multitrain.model.files.storage import read_plain, require_numbers

__all__ = ["read_state_dict"]

CURE = "give a file of torch.save(backbone.state_dict(), FILE), for torchvision's networks the one that it downloads"


def read_state_dict(path: Path, module: BackboneModule) -> dict[str, Tensor]:
    """The weights in a file, without those of the classifier that the backbone has dropped.

    Raises:
        UserError: no such file, or one that holds no state_dict.
    """
    content = read_plain(path, f"backbone_weights: {CURE}")
    if not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: backbone_weights: holds other things than named weights: {CURE}")
    require_numbers(path, content, CURE)
    dropped = getattr(module, "dropped", ())
    return {name: value for name, value in content.items() if not str(name).startswith(tuple(dropped))}
