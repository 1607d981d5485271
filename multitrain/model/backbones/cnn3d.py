"""A small 3-D residual CNN, the backbone `cnn3d`: it shows whether a verdict depends on the backbone.

GroupNorm rather than BatchNorm: BatchNorm normalises a clip by the others of its batch. These are of several datasets
in a joint run, and of one in its baseline and in every test: its effect would be mixed with what is measured. Its
statistics also depend on the micro-batch and the number of processes. GroupNorm sees one clip.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multitrain.common.errors import UserError
from multitrain.model.backbones.contract import backbone

__all__ = ["CNN3d"]

STEM_STRIDE = (2, 4, 4)  # of the first convolution, as MViTv2's patches


class ResidualBlock(nn.Module):
    """x + a spatial and a temporal convolution of x (B, C, T, H, W), each after GroupNorm and ReLU; halves the grid."""

    def __init__(self, width: int, out: int, stride: int, group: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(width // group, width), nn.GroupNorm(out // group, out)
        self.space = nn.Conv3d(width, out, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.time = nn.Conv3d(out, out, (3, 1, 1), padding=(1, 0, 0), bias=False)
        change = stride > 1 or width != out
        self.skip = nn.Conv3d(width, out, 1, (1, stride, stride), bias=False) if change else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.time(F.relu(self.norm2(self.space(F.relu(self.norm1(x))))))
        return self.skip(x) + y  # (B, out, T, H / stride, W / stride)


class CNN3d(nn.Module):
    """Clips (B, 3, T, size, size) to z (B, D): each stage after the first doubles the width and halves the grid.

    Raises:
        UserError: the width is no multiple of the groups' channels, or the clip is smaller than the strides.
    """

    def __init__(self, size: int, channels: int, depths: Sequence[int], group: int):
        super().__init__()
        if channels % group or not depths:
            raise UserError(f"backbone_options of cnn3d: channels {channels} must be a multiple of group {group}")
        if size < (least := STEM_STRIDE[1] * 2 ** (len(depths) - 1)):
            raise UserError(f"backbone cnn3d: size {size} is below {least}: give fewer depths, or larger clips")
        self.stem = nn.Conv3d(3, channels, (3, 7, 7), STEM_STRIDE, (1, 3, 3), bias=False)
        blocks: list[nn.Module] = []
        width = channels
        for stage, depth in enumerate(depths):
            for index in range(depth):
                out, stride = channels * 2**stage, 2 if stage and not index else 1
                blocks.append(ResidualBlock(width, out, stride, group))
                width = out
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.GroupNorm(width // group, width)
        self.width = width
        self.checkpointing = False
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def compile_blocks(self) -> None:
        """Compile each block by itself."""
        for block in self.blocks:
            block.compile(dynamic=False)

    def forward(self, clips: Tensor) -> Tensor:
        x = self.stem(clips)  # (B, C, T / 2, size / 4, size / 4)
        for block in self.blocks:
            again = self.checkpointing and torch.is_grad_enabled()
            x = checkpoint(block, x, use_reentrant=False, preserve_rng_state=False) if again else block(x)
        return F.relu(self.norm(x)).mean(dim=(2, 3, 4))  # z (B, width)


@backbone("cnn3d")
def cnn3d(frames: int, size: int, channels: int = 24, depths: Sequence[int] = (1, 1, 1), group: int = 8) -> CNN3d:
    """A small CNN for clips of any number of frames: `channels` in stage 1, blocks a stage, channels a norm's group."""
    return CNN3d(size, channels, depths, group)
