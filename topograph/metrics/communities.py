"""How far the graph falls into communities that hardly touch each other."""

from __future__ import annotations

import random

from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import as_igraph
from topograph.metrics.metric import Metric, Value

_NEWMAN = "Newman & Girvan (2004), Finding and evaluating community structure in networks"
_BLONDEL = "Blondel et al. (2008), Fast unfolding of communities in large networks"


def _modularity(graph: BipartiteGraph) -> Value:
    import igraph

    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    network = as_igraph(graph)
    igraph.set_random_number_generator(random.Random(0))  # Louvain visits the nodes in random order
    try:
        return Value(float(network.community_multilevel().modularity))
    finally:
        igraph.set_random_number_generator(random)  # igraph's own default


METRICS = (
    Metric(
        "modularity",
        _modularity,
        summary="modularity of the partition that the Louvain method finds with seed 0: at most the largest there is",
        formula=r"\frac{1}{2|E|} \sum_{u,v} \left(A_{uv} - \frac{d_u d_v}{2|E|}\right) \delta(c_u, c_v)",
        low=-0.5,
        high=1,
        group="communities",
        network=True,
        reference=f"{_NEWMAN}; {_BLONDEL}",
        direction="lower",
        cost="a few times E",
        fast=False,
    ),
)
