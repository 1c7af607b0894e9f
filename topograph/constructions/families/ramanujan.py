"""Explicit bipartite Ramanujan graphs, where they exist; elsewhere the nearest sizes that have one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from topograph.constructions.geometry import net, paley_design, projective_space, quadrangle
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR, RIGHT_REGULAR, Guarantee
from topograph.constructions.lps import lps_graph
from topograph.constructions.number_theory import primes_up_to
from topograph.constructions.registry import Connected, construction
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

_REACH = 4.0  # sizes up to this factor away are offered


@dataclass(frozen=True)
class Explicit:
    """One explicit Ramanujan graph: its sizes and degree, what it is, and how to make it."""

    n_left: int
    n_right: int
    degree: int
    kind: str
    make: Callable[[], BipartiteGraph]


def _is_ramanujan(graph: BipartiteGraph) -> bool:
    sigma = np.linalg.svd(graph.to_mask(float), compute_uv=False)
    bound = math.sqrt(int(graph.left_degrees[0]) - 1) + math.sqrt(int(graph.right_degrees[0]) - 1)
    return bool(sigma[1] <= bound + 1e-9)


_RAMANUJAN = Guarantee("Ramanujan", lambda g, k, o: _is_ramanujan(g))


@construction(
    "ramanujan",
    summary="an explicit biregular graph with σ2 ≤ √(d_L − 1) + √(d_R − 1): finite geometries, quadratic residues, LPS",
    guarantees=(LEFT_REGULAR, RIGHT_REGULAR, EXACT_DEGREE_EDGES, _RAMANUJAN),
    reference="Lubotzky, Phillips & Sarnak (1988), Ramanujan graphs, Combinatorica 8:261; Tanner (1984), Explicit "
    "concentrators from generalized n-gons; Dembowski (1968), Finite Geometries",
    sized_by="fixed",
    implied_degree=True,
    connected=Connected("always", lambda n, m, k: True),
    examples=(
        (7, 7, {}),
        (13, 13, {"degree": 4}),
        (25, 20, {"degree": 4}),
        (20, 25, {}),
        (40, 40, {"degree": 4}),
        (15, 15, {"degree": 3}),
        (11, 11, {"degree": 6}),
        (31, 31, {"degree": 6}),
    ),
)
def ramanujan(n_left: int, n_right: int, degree: float | None, generator: np.random.Generator) -> BipartiteGraph:
    """The explicit graph of these sizes and this degree; without a degree the sparsest of these sizes.

    ============================  =============================  =================  ==========
    graph                         sizes                          degrees            σ2
    ============================  =============================  =================  ==========
    projective plane              p² + p + 1, twice              p + 1              √p
    projective space, d = 3, 4    (p^(d+1) − 1)/(p − 1), twice   (p^d − 1)/(p − 1)  p^((d−1)/2)
    net of r parallel classes     p² × r·p, 2 ≤ r ≤ p + 1        r and p            √p
    its dual                      r·p × p²                       p and r            √p
    generalised quadrangle        (p + 1)(p² + 1), twice         p + 1              √(2p)
    quadratic residues            p ≡ 3 (mod 4), twice           (p ± 1)/2          √(p + 1)/2
    LPS, p, q ≡ 1 (mod 4)         q(q² − 1)/2, twice             p + 1, 4p < q²     ≤ 2√p
    ============================  =============================  =================  ==========
    """
    catalogue = list(explicit_graphs(n_left, n_right))
    fitting = [entry for entry in catalogue if (entry.n_left, entry.n_right) == (n_left, n_right)]
    chosen = [entry for entry in fitting if degree in (None, entry.degree)]
    if chosen:
        return min(chosen, key=lambda entry: entry.degree).make()

    def distance(entry: Explicit) -> float:
        far = abs(math.log(entry.n_left / n_left)) + abs(math.log(entry.n_right / n_right))
        return far + (abs(math.log(entry.degree / degree)) / 2 if degree else 0)

    wanted = f"{n_left} × {n_right}" + (f" with degree={degree:g}" if degree is not None else "")
    offered = {(e.n_left, e.n_right, e.degree): e.kind for e in sorted(fitting or catalogue, key=distance)}
    listed = [f"{n} × {m} with degree {k} ({kind})" for (n, m, k), kind in list(offered.items())[:4]]
    raise InvalidParameterError(
        f"no explicit Ramanujan graph is known here for {wanted}; "
        + (f"the nearest are {', '.join(listed)}; " if listed else "there is none near these sizes; ")
        + "biregular_random comes close at any size, and topograph.design.optimize closer"
    )


def explicit_graphs(n_left: int, n_right: int) -> Iterator[Explicit]:
    """All explicit graphs here whose sizes are within a factor of four of the ones given."""

    def near(left: int, right: int) -> bool:
        return all(size / _REACH <= found <= size * _REACH for size, found in ((n_left, left), (n_right, right)))

    largest = int(_REACH * max(n_left, n_right))
    primes = [int(p) for p in primes_up_to(math.isqrt(largest) + 1)]
    for p in primes:
        for d in (2, 3, 4):
            n = (p ** (d + 1) - 1) // (p - 1)
            if near(n, n):
                kind = "projective plane" if d == 2 else f"projective space of dimension {d}"
                yield Explicit(n, n, (p**d - 1) // (p - 1), f"{kind}, p = {p}", partial(projective_space, d, p))
        for r in range(2, p + 2):
            if near(p * p, r * p):
                yield Explicit(p * p, r * p, r, f"net of {r} classes, p = {p}", partial(net, r, p))
            if near(r * p, p * p):
                yield Explicit(r * p, p * p, p, f"dual net of {r} classes, p = {p}", partial(_dual_net, r, p))
        n = (p + 1) * (p * p + 1)
        if near(n, n):
            yield Explicit(n, n, p + 1, f"generalised quadrangle, p = {p}", partial(quadrangle, p))
    if near(n_left, n_left) and near(n_right, n_right):
        for p in (int(p) for p in primes_up_to(largest) if p % 4 == 3 and p > 3 and near(int(p), int(p))):
            for with_zero in (False, True):
                degree = (p + 1) // 2 if with_zero else (p - 1) // 2
                yield Explicit(p, p, degree, f"quadratic residues, p = {p}", partial(paley_design, p, with_zero))
    for q in (q for q in primes if q % 4 == 1 and near(q * (q * q - 1) // 2, q * (q * q - 1) // 2)):
        for p in (int(p) for p in primes_up_to((q * q - 1) // 4) if p % 4 == 1 and p != q):
            n = q * (q * q - 1) // 2
            yield Explicit(n, n, p + 1, f"LPS, p = {p}, q = {q}", partial(lps_graph, p, q))


def _dual_net(classes: int, p: int) -> BipartiteGraph:
    return net(classes, p).transpose()
