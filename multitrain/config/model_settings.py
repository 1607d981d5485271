"""Settings of the network: the backbone, and the heads on it."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from multitrain.config.base import Count, Fraction, Settings

__all__ = ["MVIT", "OPTIONS_OF_MVIT", "PIXEL_MEAN", "PIXEL_STD", "Backbone", "Model", "backbone_name"]

Scalar = bool | int | float | str
Option = Scalar | list[Scalar]
MVIT = "mvit"
PIXEL_MEAN, PIXEL_STD = 0.45, 0.225  # of pixels in 0..1, of every colour: `normalisation: constant`, as in the release
OPTIONS_OF_MVIT = ("channels", "depths", "heads", "patch_kernel", "patch_stride", "kv_stride", "mlp_ratio")
SHAPE = re.compile(r"[a-z][a-z0-9_]*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def backbone_name(name: str) -> str:
    if not SHAPE.fullmatch(name):
        raise ValueError(f"{name!r} is no backbone: write mvit, cnn3d, torchvision:r3d_18 or module:function")
    return name


def _empty(value: Any) -> bool:
    return not value


class Backbone(Settings):
    """A backbone: which one, its options, and its initial weights. docs/guides/your-backbone.md says how to add one."""

    # A key at its default is not written: fingerprints of runs and bytes of model files stay as without the key.
    backbone: Annotated[str, AfterValidator(backbone_name)] = Field(
        MVIT,
        exclude_if=lambda name: name == MVIT,
        description="mvit, cnn3d, torchvision:NAME (r3d_18, mvit_v2_s, ...), or module:function of a file of your own",
    )
    backbone_options: dict[str, Option] = Field(
        {}, exclude_if=_empty, description="arguments of the backbone's function beside frames and size"
    )
    backbone_weights: str | None = Field(
        None,
        exclude_if=_empty,
        description="file of its state_dict, the initial weights of runs without `init`; a classifier is dropped",
    )

    def __hash__(self) -> int:  # options are a dict, which has no hash of its own
        return hash(self.model_dump_json())


class Model(Backbone):
    """The network: backbone and heads. channels to mlp_ratio are mvit's alone, the paper's MViTv2 (Section 3.1)."""

    frames: Count = Field(32, description="of a clip")
    channels: Count = Field(96, description="width of stage 1; doubles at each stage")
    depths: tuple[Count, ...] = Field((2, 3, 16, 3), description="blocks a stage")
    heads: Count = Field(1, description="attention heads of stage 1; doubles at each stage")
    patch_kernel: tuple[Count, Count, Count] = Field((3, 7, 7), description="first convolution: time, height, width")
    patch_stride: tuple[Count, Count, Count] = Field((2, 4, 4), description="its stride: time, height, width")
    kv_stride: Count = Field(8, description="spatial stride of pooled keys and values in stage 1; halves a stage")
    mlp_ratio: Count = Field(4, description="hidden width of a block's MLP, over its width")
    head_hidden: int = Field(2048, ge=0, description="hidden width of a dataset's MLP head; 0 for a linear head")
    head_dropout: Fraction = Field(0.5, description="dropout after both layers of an MLP head, before a linear one")
    normalisation: Literal["constant", "clip"] = Field(
        "constant", description="constant: mean 0.45, std 0.225; clip: each clip to mean 0, std 1"
    )

    @model_validator(mode="after")
    def _own_keys(self) -> Self:
        if self.backbone == MVIT and self.backbone_options:
            raise ValueError("backbone_options: mvit's are keys of model itself, such as channels: write them there")
        return self

    def with_backbone(self, other: Backbone) -> Self:
        """The same frames, heads and normalisation with another backbone; options of mvit are keys of its own here.

        Raises:
            ValueError: an option that mvit does not have.
        """
        chosen = {key: getattr(other, key) for key in Backbone.model_fields}
        if other is not self and other.backbone == MVIT:
            options = chosen.pop("backbone_options")
            if unknown := sorted(set(options) - set(OPTIONS_OF_MVIT)):
                raise ValueError(f"backbone_options.{unknown[0]}: mvit has {', '.join(OPTIONS_OF_MVIT)}")
            chosen |= {**options, "backbone_options": {}}
        return self.model_validate({**dict(self), **chosen})
