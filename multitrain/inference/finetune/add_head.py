"""Add a head: a network with one more dataset."""

import torch

from multitrain.common.errors import UserError
from multitrain.model.network import Network

__all__ = ["add_head"]


def add_head(start: Network, tuned: Network, name: str) -> Network:
    """All of `start`, with the backbone of `tuned` and its head `name`; projections to and from that head are zero.

    Where both have the same backbone, the outputs of the other heads stay the same (Eq. 4 included).

    Raises:
        UserError: `start` has a head of that name.
    """
    if name in start.spec.classes:
        raise UserError(f"the model has a head {name!r} already: choose another name")
    spec = start.spec.model_copy(update={"classes": {**start.spec.classes, name: tuned.spec.classes[name]}})
    network = Network(spec, projection_std=0.0)
    weights = dict(start.state_dict())
    prefixes = ("backbone.", f"heads.{name}.")
    weights |= {key: weight for key, weight in tuned.state_dict().items() if key.startswith(prefixes)}
    absent = network.load_state_dict(weights, strict=False)
    unset = [key for key in absent.missing_keys if f".{name}." not in f".{key}."]
    if unset or absent.unexpected_keys:
        raise UserError(f"the model's weights do not fit its description: {(*unset, *absent.unexpected_keys)[0]}")
    with torch.no_grad():
        return network.eval()
