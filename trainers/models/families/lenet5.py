"""`lenet5`: two convolutions and three fully connected layers."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from topograph.packages import require
from trainers.models.model import Model
from trainers.models.shapes import read_image


def lenet_sizes(height: int, width: int) -> tuple[int, int, int]:
    """Padding of the second convolution, and height and width after the second pooling.

    The first convolution keeps the size of the image, as if 28 × 28 were padded to the 32 × 32 of the paper; the second
    cuts its margin where the image has room for it, at least 12 × 12.

    Examples
    --------
    >>> lenet_sizes(28, 28), lenet_sizes(8, 8)
    ((0, 5, 5), (2, 2, 2))
    """
    padding = 0 if min(height, width) >= 12 else 2
    margin = 4 - 2 * padding
    return padding, (height // 2 - margin) // 2, (width // 2 - margin) // 2


def make_lenet5(shape: tuple[int, ...], classes: int, *, width: int = 6) -> Any:
    """Convolutions of 5 × 5 to ``width`` and 16/6 ``width`` channels, then layers of 120, 84 and ``classes``."""
    nn = require("torch", "torch").nn
    from trainers.models.torch.shaping import ToImages

    image = read_image(shape, "lenet5", least=4)
    first = check_integer("width", width, low=1)
    second = max(1, round(first * 16 / 6))
    padding, height, breadth = lenet_sizes(image.height, image.width)
    model = nn.Sequential()
    for name, part in {
        "image": ToImages(image),
        "conv1": nn.Conv2d(image.channels, first, 5, padding=2),
        "a1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(first, second, 5, padding=padding),
        "a2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flat": nn.Flatten(),
        "fc1": nn.Linear(second * height * breadth, 120),
        "a3": nn.ReLU(),
        "fc2": nn.Linear(120, 84),
        "a4": nn.ReLU(),
        "fc3": nn.Linear(84, classes),
    }.items():
        model.add_module(name, part)
    return model


LENET5 = Model(
    "lenet5",
    "Two convolutions of 5 × 5, each with pooling, and three fully connected layers; with ReLU and max pooling.",
    make_lenet5,
    "torch",
    {"width": 6},
    "LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition",
)
