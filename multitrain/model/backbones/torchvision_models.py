"""Torchvision's video networks as backbones: `torchvision:r3d_18`, `torchvision:mvit_v2_s`, ... without classifier."""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, cast

from torch import nn

from multitrain.common.errors import UserError, did_you_mean
from multitrain.model.backbones.contract import BackboneModule, backbone

__all__ = ["torchvision_network"]

LAST = ("fc", "head", "classifier")  # the classifier's name, one of these


@backbone("torchvision:")
def torchvision_network(name: str, frames: int, size: int, **options: Any) -> nn.Module:
    """A network of torchvision.models.video; `options` are its builder's keywords, such as stochastic_depth_prob.

    Its MViTs have positions for one clip size, and get frames and size. Initial weights are random, or a file's.

    Raises:
        UserError: torchvision is not installed, or has no such video network.
    """
    try:
        from torchvision.models import get_model_builder, list_models, video
    except ImportError:
        raise UserError(
            f"backbone torchvision:{name}: the package torchvision is not installed: "
            "`pip install torchvision`, of the version that fits this torch"
        ) from None
    if name not in (known := list_models(module=video)):
        raise UserError(f"backbone torchvision:{name}: no such video network: {did_you_mean(name, known)}")
    if refused := [key for key in ("weights", "num_classes") if key in options]:
        raise UserError(
            f"backbone_options: torchvision:{name} takes no {refused[0]!r} here: the classifier is dropped, and "
            "initial weights are a file, backbone_weights"
        )
    network = cast(BackboneModule, _sized(get_model_builder(name), frames, size)(**options))
    for part in LAST:
        if hasattr(network, part):
            layer = [each for each in getattr(network, part).modules() if isinstance(each, nn.Linear | nn.Conv3d)][-1]
            network.width = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
            network.dropped = (f"{part}.",)
            setattr(network, part, nn.Identity())
    return network


def _sized(build: Callable[..., nn.Module], frames: int, size: int) -> Callable[..., nn.Module]:
    """A builder of an MViT with the clip's size, which torchvision's has as a constant; any other one as it is."""
    plain = inspect.unwrap(build)
    assert isinstance(plain, FunctionType)
    if "_mvit" not in plain.__globals__:
        return build
    make = plain.__globals__["_mvit"]

    def sized(**settings: Any) -> nn.Module:
        return make(**{**settings, "spatial_size": (size, size), "temporal_size": frames})

    own = FunctionType(plain.__code__, {**plain.__globals__, "_mvit": sized}, plain.__name__)
    own.__kwdefaults__ = plain.__kwdefaults__
    return own
