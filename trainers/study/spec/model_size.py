"""`ModelSize`: what planning needs to know about a model, found by making it once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from topograph.masks.building import maskable_layers
from topograph.masks.live import kind_of
from topograph.packages import require
from trainers.models import ModelSpec
from trainers.study.data import loaded


@dataclass(frozen=True)
class ModelSize:
    """How large a model is.

    Parameters
    ----------
    room
        Number of weights that can be masked: the most edges that it can have.
    multiplications
        Number of multiplications for one sample.
    """

    room: int = 0
    multiplications: float = 0.0


@lru_cache(maxsize=256)
def model_size(model: ModelSpec, dataset: str) -> ModelSize:
    """The size of a model for a data set; zeros where it cannot be made, which its runs will say.

    Examples
    --------
    >>> model_size(ModelSpec("mlp", {"widths": (20,)}), "digits")
    ModelSize(room=1480, multiplications=1480.0)
    """
    try:
        data = loaded(dataset)
        made = model.build(data)
        room = sum(layer.room for layer in maskable_layers(made)[0])
        return ModelSize(room, max(float(room), _multiplications(made, data.shape)))
    except Exception:  # a factory that fails is a failure of each run, kept with its reason
        return ModelSize()


def _multiplications(made: Any, shape: tuple[int, ...]) -> float:
    """As PyTorch counts them; 0 for other models."""
    kind = kind_of(made)
    if kind is None or kind.name != "torch":
        return 0.0
    torch = require("torch", "torch")
    counter = require("torch.utils.flop_counter", "torch").FlopCounterMode(display=False)
    made.eval()
    # recurrent cells of oneDNN are not counted, and without it PyTorch warns of graphics cards that are not there
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False), counter:
        made(torch.from_numpy(np.zeros((1, *shape), np.float32)))
    return float(counter.get_total_flops()) / 2
