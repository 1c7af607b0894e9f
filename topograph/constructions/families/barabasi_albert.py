"""Bipartite preferential attachment: a few outputs become hubs."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_integer
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import from_equal_rows
from topograph.graph import BipartiteGraph

_DENSE_SHARE = 0.25  # above this share of the outputs, redrawing repeats costs more than ranking all outputs


@construction(
    "barabasi_albert",
    summary=("k distinct outputs, each drawn with probability proportional to its edges so far plus `attractiveness`"),
    guarantees=(LEFT_REGULAR, EXACT_DEGREE_EDGES),
    reference="Barabási & Albert (1999), Emergence of scaling in random networks, Science 286:509; the initial "
    "attractiveness is that of Dorogovtsev, Mendes & Samukhin (2000)",
    random=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
)
def barabasi_albert(
    n_left: int, n_right: int, degree: int, generator: np.random.Generator, attractiveness: int = 1
) -> BipartiteGraph:
    """Inputs arrive in a random order, and each attaches to k outputs, the popular ones preferred.

    The outputs are all there from the beginning, with ``attractiveness`` (a whole number of at least 1) as their
    initial weight, without which an output without edges could never get one.
    """
    attractiveness = check_integer("attractiveness", attractiveness, low=1)
    if degree <= _DENSE_SHARE * n_right:
        from topograph.constructions.kernels import attach_preferentially, stream

        degrees = np.full(n_left, degree, dtype=np.int64)
        columns = attach_preferentially(degrees, n_right, attractiveness, n_left * degree, stream(generator))
        rows = columns.reshape(n_left, degree)
    else:  # draws without replacement are the largest of exponential races, one for each output
        rows = np.empty((n_left, degree), dtype=np.int32)
        weights = np.full(n_right, float(attractiveness))
        for i in range(n_left):
            arrival = generator.exponential(size=n_right) / weights
            rows[i] = np.argpartition(arrival, degree - 1)[:degree]
            weights[rows[i]] += 1
    return from_equal_rows(np.sort(rows, axis=1)[generator.permutation(n_left)], n_right)
