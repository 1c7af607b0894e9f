"""`gru`: a recurrent network over the rows of an image, or the steps of a sequence."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from trainers.models.model import Model


def make_gru(shape: tuple[int, ...], classes: int, *, hidden: int = 128, layers: int = 1) -> Any:
    """``layers`` layers of ``hidden`` units, and a linear layer on the state after the last step."""
    from trainers.models.torch.recurrent import Recurrent

    hidden, layers = check_integer("hidden", hidden, low=1), check_integer("layers", layers, low=1)
    return Recurrent("GRU", shape, classes, hidden, layers)


GRU = Model(
    "gru",
    "Gated recurrent units over the rows of an image or the steps of a sequence, then a linear layer on the last.",
    make_gru,
    "torch",
    {"hidden": 128, "layers": 1},
    "Cho et al. (2014), Learning phrase representations using RNN encoder-decoder",
)
