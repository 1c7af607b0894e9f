"""`lstm`: a recurrent network over the rows of an image, or the steps of a sequence."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from trainers.models.model import Model


def make_lstm(shape: tuple[int, ...], classes: int, *, hidden: int = 128, layers: int = 1) -> Any:
    """``layers`` layers of ``hidden`` units, and a linear layer on the state after the last step."""
    from trainers.models.torch.recurrent import Recurrent

    hidden, layers = check_integer("hidden", hidden, low=1), check_integer("layers", layers, low=1)
    return Recurrent("LSTM", shape, classes, hidden, layers)


LSTM = Model(
    "lstm",
    "Long short-term memory over the rows of an image or the steps of a sequence, then a linear layer on the last.",
    make_lstm,
    "torch",
    {"hidden": 128, "layers": 1},
    "Hochreiter & Schmidhuber (1997), Long short-term memory",
)
