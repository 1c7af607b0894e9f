"""Random masks: edges, or rows, drawn independently."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from topograph.checks import check_real
from topograph.constructions.families.rotating import PAPER
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, EXACT_EDGES, EXPECTED_EDGES, LEFT_REGULAR
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import BLOCK, from_entries, from_equal_rows, uniform_entries, uniform_subsets
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


@construction(
    "random_edge",
    summary="each output independently with probability k/m",
    guarantees=(EXPECTED_EDGES,),
    reference=PAPER,
    random=True,
    sized_by="expected",
    connected=Connected("k = m", lambda n, m, k: k == m),
)
def random_edge(n_left: int, n_right: int, degree: float, generator: np.random.Generator) -> BipartiteGraph:
    """Bernoulli edges.

    The gaps between successive edges, in reading order, are geometric: drawing them costs time in proportion to the
    edges, not to n · m.
    """
    probability = degree / n_right
    entries = n_left * n_right
    places: list[npt.NDArray[np.int64]] = []
    last = -1
    while probability > 0 and last < entries - 1:
        expected = (entries - 1 - last) * probability
        count = min(BLOCK, int(expected + 6 * math.sqrt(expected) + 16))
        gaps = np.minimum(
            generator.geometric(probability, size=count), entries
        )  # longer ones end past the last one too
        block = last + np.cumsum(gaps)
        last = int(block[-1])
        places.append(block if last < entries else block[block < entries])
    return from_entries(np.concatenate(places) if places else np.empty(0, dtype=np.int64), n_left, n_right)


@construction(
    "random_regular",
    summary="k distinct outputs drawn for each i",
    guarantees=(LEFT_REGULAR, EXACT_DEGREE_EDGES),
    reference=PAPER,
    random=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
)
def random_regular(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """Uniform k-subsets, independent between inputs."""
    return from_equal_rows(uniform_subsets(n_left, degree, n_right, generator), n_right)


@construction(
    "erdos_renyi",
    summary="n·k of all n·m edges, every choice equally likely; with epsilon=ε, ε(n+m) of them",
    guarantees=(EXACT_EDGES,),
    reference="Mocanu et al. (2018), Scalable training of artificial neural networks with adaptive sparse connectivity "
    "inspired by network science, Nature Communications 9:2383 (SET); Erdős & Rényi (1959)",
    random=True,
    sized_by="total",
    implied_degree=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((12, 8, {"epsilon": 1.7}),),
)
def erdos_renyi(
    n_left: int, n_right: int, degree: float | None, generator: np.random.Generator, epsilon: float | None = None
) -> BipartiteGraph:
    """The uniform graph with a given number of edges, G(n, m, E).

    SET draws its first mask with density ε (n + m) / (n m); ``epsilon`` gives exactly round(ε (n + m)) edges, at most
    n · m. ``random_edge`` with that density is the binomial version.
    """
    if (degree is None) == (epsilon is None):
        raise InvalidParameterError(
            f"erdos_renyi needs either epsilon= or one of degree=, density=, edges=, but got degree={degree}, "
            f"epsilon={epsilon}"
        )
    entries = n_left * n_right
    if epsilon is not None:
        count = min(entries, round(check_real("epsilon", epsilon, low=0, include_low=False) * (n_left + n_right)))
    else:
        count = round(n_left * float(degree or 0))
    return from_entries(uniform_entries(entries, count, generator), n_left, n_right)
