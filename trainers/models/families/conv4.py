"""`conv4`: four convolutions and three fully connected layers."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from topograph.packages import require
from trainers.models.model import Model
from trainers.models.shapes import read_image


def make_conv4(shape: tuple[int, ...], classes: int, *, width: int = 64) -> Any:
    """Two convolutions to ``width`` channels and two to twice as many, with pooling after each two; then 256, 256."""
    nn = require("torch", "torch").nn
    from trainers.models.torch.shaping import ToImages

    image = read_image(shape, "conv4", least=4)
    width = check_integer("width", width, low=1)
    channels = [image.channels, width, width, 2 * width, 2 * width]
    model = nn.Sequential()
    model.add_module("image", ToImages(image))
    for number in range(1, 5):
        model.add_module(f"conv{number}", nn.Conv2d(channels[number - 1], channels[number], 3, padding=1))
        model.add_module(f"a{number}", nn.ReLU())
        if number % 2 == 0:
            model.add_module(f"pool{number // 2}", nn.MaxPool2d(2))
    sizes = [2 * width * (image.height // 4) * (image.width // 4), 256, 256, classes]
    model.add_module("flat", nn.Flatten())
    for number in range(1, 4):
        if number > 1:
            model.add_module(f"a{number + 3}", nn.ReLU())
        model.add_module(f"fc{number}", nn.Linear(sizes[number - 1], sizes[number]))
    return model


CONV4 = Model(
    "conv4",
    "Four convolutions of 3 × 3, with pooling after each two, and three fully connected layers.",
    make_conv4,
    "torch",
    {"width": 64},
    "Frankle & Carbin (2019), The lottery ticket hypothesis: Conv-4",
)
