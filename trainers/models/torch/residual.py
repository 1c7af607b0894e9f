"""Residual networks."""

from __future__ import annotations

from typing import Any

from topograph.packages import require
from trainers.models.shapes import ImageShape
from trainers.models.torch.shaping import ToImages

torch: Any = require("torch", "torch")
nn: Any = torch.nn


class ResidualBlock(nn.Module):  # type: ignore[misc, unused-ignore]
    """Two convolutions of 3 × 3 with batch normalisation, and a way around them.

    Where the size changes, the way around is a convolution of 1 × 1 with normalisation (option B of the paper).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.around: Any = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.around = nn.Sequential()
            self.around.add_module("conv", nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.around.add_module("norm", nn.BatchNorm2d(outputs))

    def forward(self, x: Any) -> Any:
        """Images → images, half as high and wide with a stride of 2."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.around(x))


class ResNet(nn.Module):  # type: ignore[misc, unused-ignore]
    """A convolution, three stages of residual blocks, the mean over all positions, and a linear layer."""

    def __init__(self, image: ImageShape, classes: int, blocks: int, width: int) -> None:
        super().__init__()
        self.image = ToImages(image)
        self.conv = nn.Conv2d(image.channels, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(3):
            outputs = width * 2**stage
            parts = []
            for number in range(blocks):
                parts.append(ResidualBlock(inputs, outputs, 2 if stage and not number else 1))
                inputs = outputs
            self.add_module(f"stage{stage + 1}", nn.Sequential(*parts))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        """Samples → one number per class."""
        y = torch.relu(self.norm(self.conv(self.image(x))))
        return self.fc(self.stage3(self.stage2(self.stage1(y))).mean((2, 3)))
