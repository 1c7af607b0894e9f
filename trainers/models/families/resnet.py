"""`resnet8` and `resnet20`: residual networks for small images."""

from __future__ import annotations

from functools import partial
from typing import Any

from topograph.checks import check_integer
from trainers.models.model import Model
from trainers.models.shapes import read_image

_REFERENCE = "He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition, section 4.2"


def make_resnet(blocks: int, shape: tuple[int, ...], classes: int, *, width: int = 16) -> Any:
    """Three stages of ``blocks`` residual blocks, of ``width``, twice and four times as many channels."""
    from trainers.models.torch.residual import ResNet

    return ResNet(
        read_image(shape, "a residual network", least=4), classes, blocks, check_integer("width", width, low=1)
    )


RESNET8 = Model(
    "resnet8",
    "A residual network of 8 layers: three stages of one block each.",
    partial(make_resnet, 1),
    "torch",
    {"width": 16},
    _REFERENCE,
)
RESNET20 = Model(
    "resnet20",
    "A residual network of 20 layers: three stages of three blocks each.",
    partial(make_resnet, 3),
    "torch",
    {"width": 16},
    _REFERENCE,
)
