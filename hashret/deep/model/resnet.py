"""ResNet-18 for small images, a network for a GPU."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["resnet_18"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (n, outputs, height / stride, width / stride)."""
        added: Tensor = self.body(images) + self.shortcut(images)
        return added.relu()


def resnet_18(channels: int) -> nn.Module:
    """Return ResNet-18 with 512 features, for images of about 28x28 to 64x64.

    The first layer is a 3x3 convolution at full size, without pooling, as images of 32x32
    need it. 11 million weights and 0.56 billion multiplications an image of 32x32: meant for a
    GPU.

    Parameters
    ----------
    channels : int
        1 for grey images, 3 for colour.

    References
    ----------
    He et al.: Deep residual learning for image recognition, CVPR 2016, arXiv 1512.03385.
    """
    blocks: list[nn.Module] = []
    inputs = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(
        nn.Conv2d(channels, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
