"""`transformer`: attention among the patches of an image, or the steps of a sequence."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_choice, check_integer, check_real
from topograph.errors import InvalidParameterError
from trainers.models.model import Model
from trainers.models.shapes import read_image


def make_transformer(
    shape: tuple[int, ...],
    classes: int,
    *,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    hidden: int = 128,
    patch: int = 4,
    tokens: str = "patches",
    dropout: float = 0.0,
) -> Any:
    """``depth`` blocks of ``heads`` heads and two linear layers, on tokens of ``width`` numbers.

    ``tokens="patches"`` cuts an image into squares of ``patch``; ``"steps"`` takes its rows, or a sequence's steps.
    """
    from trainers.models.torch.attention import Steps, ToPatches, Transformer

    width, depth = check_integer("width", width, low=1), check_integer("depth", depth, low=1)
    heads, hidden = check_integer("heads", heads, low=1), check_integer("hidden", hidden, low=1)
    if width % heads:
        raise InvalidParameterError(f"width must be a multiple of heads={heads}, but got width={width}")
    read: Any
    if check_choice("tokens", tokens, ("patches", "steps")) == "steps":
        read = Steps(shape)
    else:
        image = read_image(shape, "transformer with tokens='patches'")
        patch = check_integer("patch", patch, low=1)
        if image.height % patch or image.width % patch:
            fit = [n for n in range(1, min(image[:2]) + 1) if not image.height % n and not image.width % n]
            raise InvalidParameterError(
                f"patch must divide {image.height} × {image.width}, so be one of {', '.join(map(str, fit))}, but got "
                f"patch={patch}"
            )
        read = ToPatches(image, patch)
    rate = check_real("dropout", dropout, low=0, high=1, include_high=False)
    return Transformer(read, classes, width, depth, heads, hidden, rate)


TRANSFORMER = Model(
    "transformer",
    "Blocks of attention and two linear layers on the patches of an image, or on the steps of a sequence.",
    make_transformer,
    "torch",
    {"width": 64, "depth": 2, "heads": 4, "hidden": 128, "patch": 4, "tokens": "patches", "dropout": 0.0},
    "Vaswani et al. (2017), Attention is all you need; Dosovitskiy et al. (2021), An image is worth 16 × 16 words",
)
