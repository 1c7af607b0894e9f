"""How many connections each node has, on either side."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_STATISTICS: dict[str, tuple[Callable[[npt.NDArray[np.int64]], float], str, str]] = {
    "min": (lambda d: float(d.min()), "smallest", r"\min_v d_v"),
    "mean": (lambda d: float(d.mean()), "mean", r"\bar d = |E| / |V|"),
    "max": (lambda d: float(d.max()), "largest", r"\max_v d_v"),
    "std": (lambda d: float(d.std()), "standard deviation of the", r"\sqrt{\frac{1}{|V|} \sum_v (d_v - \bar d)^2}"),
}


def _degrees(side: str) -> Callable[[BipartiteGraph], npt.NDArray[np.int64]]:
    return (lambda g: g.left_degrees) if side == "left" else (lambda g: g.right_degrees)


def _statistic(side: str, name: str) -> Metric:
    function, words, formula = _STATISTICS[name]
    degrees = _degrees(side)
    return Metric(
        f"{side}_degree_{name}",
        lambda g: Value(function(degrees(g))),
        f"{words} degree of the {'inputs' if side == 'left' else 'outputs'}, isolated ones included",
        formula,
        0,
        math.inf,
        "degrees",
        integer=name in ("min", "max"),
    )


def _isolated(side: str) -> Metric:
    degrees = _degrees(side)
    return Metric(
        f"isolated_{side}",
        lambda g: Value(int(np.count_nonzero(degrees(g) == 0))),
        f"number of {'inputs' if side == 'left' else 'outputs'} without a connection",
        r"|\{v : d_v = 0\}|",
        0,
        math.inf,
        "degrees",
        integer=True,
    )


METRICS = (
    *(_statistic(side, name) for side in ("left", "right") for name in _STATISTICS),
    _isolated("left"),
    _isolated("right"),
)
