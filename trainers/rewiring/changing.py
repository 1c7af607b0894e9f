"""`change_layer`: one layer asked for its change, and given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from topograph.graph import BipartiteGraph
from trainers.rewiring.carried import Carried, carry, unchanged
from trainers.rewiring.layer import Floats, Gradient, Integers, LayerState
from trainers.rewiring.rule import RewiringRule


def change_layer(
    rule: RewiringRule,
    graph: BipartiteGraph,
    weights: Floats,
    share: float,
    generator: np.random.Generator,
    options: Mapping[str, Any],
    read_gradient: Callable[[], Gradient],
    draw: Callable[[Integers], Floats],
    is_last: bool,
    groups: int = 1,
    *,
    name: str,
) -> Carried:
    """How a layer's numbers go over to the edges that a rule gives it; a layer that is full, or too small, stays.

    Parameters
    ----------
    rule
        The rule that is asked.
    graph, weights, generator, options, read_gradient, draw, is_last, groups
        As in `LayerState`.
    share
        Share of the edges to replace.
    name
        Where the layer is, for messages.

    Raises
    ------
    ConformanceError
        When the rule's answer is impossible; the message names the rule and the layer.
    """
    empty = graph.n_left * graph.n_right // groups - graph.n_edges
    count = min(round(share * graph.n_edges), empty)
    if count == 0:
        return unchanged(graph, weights)
    state = LayerState(graph, weights, count, generator, options, read_gradient, draw, is_last, groups)
    return carry(state, rule.change(state), f"the rewiring {rule.name!r}, {name}")
