"""`mlp`: fully connected layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from topograph.checks import check_choice, check_integer
from topograph.packages import require
from trainers.models.model import Model

_ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "gelu": "GELU"}


def make_mlp(
    shape: tuple[int, ...], classes: int, *, widths: Sequence[int] = (300, 100), activation: str = "relu"
) -> Any:
    """Fully connected layers ``l1``, ``l2``, … on all numbers of a sample."""
    nn = require("torch", "torch").nn
    name = _ACTIVATIONS[check_choice("activation", activation, _ACTIVATIONS)]
    hidden = [
        check_integer("each of widths", width, low=1) for width in ([widths] if isinstance(widths, int) else widths)
    ]
    sizes = [math.prod(shape), *hidden, classes]
    model = nn.Sequential()
    model.add_module("flat", nn.Flatten())
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1):
        if number > 1:
            model.add_module(f"a{number - 1}", getattr(nn, name)())
        model.add_module(f"l{number}", nn.Linear(inputs, outputs))
    return model


MLP = Model(
    "mlp",
    "Fully connected layers, of 300 and 100 hidden neurons by default.",
    make_mlp,
    "torch",
    {"widths": (300, 100), "activation": "relu"},
    "LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition: LeNet-300-100",
)
