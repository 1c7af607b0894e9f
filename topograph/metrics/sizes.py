"""Sizes and density."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from topograph.metrics.metric import Metric
from topograph.metrics.stacked import Values, stacked
from topograph.stack import GraphStack


@stacked
def _n_left(stack: GraphStack) -> Values:
    return Values.exact(np.full(len(stack), stack.n_left))


@stacked
def _n_right(stack: GraphStack) -> Values:
    return Values.exact(np.full(len(stack), stack.n_right))


@stacked
def _n_edges(stack: GraphStack) -> Values:
    return Values.exact(stack.n_edges)


@stacked
def _density(stack: GraphStack) -> Values:
    return Values.exact(stack.n_edges / (stack.n_left * stack.n_right))


_size = partial(Metric, high=math.inf, group="sizes", integer=True)

METRICS = (
    _size("n_left", _n_left, summary="number of inputs", formula="n", low=1),
    _size("n_right", _n_right, summary="number of outputs", formula="m", low=1),
    _size("n_edges", _n_edges, summary="number of edges", formula="|E|", low=0, network=True),
    Metric(
        "density",
        _density,
        summary="share of the possible edges that exist",
        formula=r"|E| / (nm)",
        low=0,
        high=1,
        group="sizes",
    ),
)
