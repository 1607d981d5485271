"""A user-defined backbone with BatchNorm."""

from torch import Tensor, nn

from multitrain.model.backbones.contract import backbone

NAME = "tests.engine.batch_norm_net:net"


class Net(nn.Module):
    """Clips (B, 3, T, size, size) to z (B, channels)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv, self.norm = nn.Conv3d(3, channels, (2, 4, 4), (2, 4, 4)), nn.BatchNorm3d(channels)

    def forward(self, clips: Tensor) -> Tensor:
        return self.norm(self.conv(clips)).relu().mean((2, 3, 4))


@backbone()
def net(frames: int, size: int, channels: int = 8) -> Net:
    return Net(channels)
