"""Cannistraci-Hebb training: small weights go, likely links come."""

from __future__ import annotations

import numpy as np

from topograph.graph import BipartiteGraph
from trainers.rewiring.growing import best_empty
from trainers.rewiring.layer import Change, LayerState, settled
from trainers.rewiring.rule import RewiringRule
from trainers.selecting import smallest


def change(state: LayerState) -> Change:
    """The smallest magnitudes go; the largest CH3-L3 scores of the graph that is left come, with weight 0."""
    from trainers.rewiring.link_prediction import ch3_l3  # imports numba: on first use

    dropped = smallest(np.abs(state.weights), state.count, state.generator)
    n, m = state.graph.shape
    left = np.delete(state.pairs, dropped)
    scores = ch3_l3(BipartiteGraph.from_edges(np.column_stack(np.divmod(left, m)), n, m))
    return settled(state, dropped, best_empty(state, scores, dropped, state.options["again"]))


CHT = RewiringRule(
    name="cht",
    summary="The smallest magnitudes go; the pairs with the largest CH3-L3 link-prediction score come.",
    change=change,
    reference="Zhang, Zhao, Wu, Muscoloni & Cannistraci (2024), Epitopological learning and Cannistraci-Hebb network "
    "shape intelligence brain-inspired theory for ultra-sparse advantage in deep learning",
    differences=(
        "Scores are taken on the graph without the dropped edges, which may come back (again=true). The authors' code "
        "also removes neurons that lost one side, and stops when little changes: neither is done here."
    ),
    reads_dense=False,
    options={"again": True},
)
