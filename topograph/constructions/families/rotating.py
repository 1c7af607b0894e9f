"""Rotating masks: one base row, shifted by one for each input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR, RIGHT_REGULAR_IF_SIZES_DIVIDE
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import rotate
from topograph.graph import BipartiteGraph

PAPER = "Bourely, Boueri & Choromanski (2017), Sparse Neural Network Topologies, arXiv:1706.05683"
_GUARANTEES = (LEFT_REGULAR, EXACT_DEGREE_EDGES, RIGHT_REGULAR_IF_SIZES_DIVIDE)


@construction(
    "random_rotating",
    summary="a random k-subset of the outputs, drawn once, shifted by i",
    guarantees=_GUARANTEES,
    reference=PAPER,
    connected=Connected("n ≥ m and 2k > m", lambda n, m, k: n >= m and 2 * k > m),
    random=True,
)
def random_rotating(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """A random base row, rotated."""
    return rotate(generator.choice(n_right, size=degree, replace=False).astype(np.int64), n_left, n_right)


@construction(
    "regular_rotating",
    summary="{0, …, k−1} shifted by i",
    guarantees=_GUARANTEES,
    reference=PAPER,
    connected=Connected("k ≥ 2 and n + k > m", lambda n, m, k: k >= 2 and n + k > m),
)
def regular_rotating(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """A run of k outputs, rotated."""
    return rotate(np.arange(degree), n_left, n_right)


@construction(
    "long_short_rotating",
    summary="⌈k/2⌉ ones in a run, ⌊k/2⌋ evenly spread over the rest, shifted by i",
    guarantees=_GUARANTEES,
    reference=PAPER,
    connected=Connected("k ≥ 3 and n ≥ m", lambda n, m, k: k >= 3 and n >= m),
)
def long_short_rotating(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """A run and a spread, rotated."""
    return rotate(long_short_offsets(degree, n_right), n_left, n_right)


@construction(
    "fibonacci_rotating",
    summary="the first k Fibonacci numbers {0, 1, 2, 3, 5, 8, …}, scaled to fit, shifted by i",
    guarantees=_GUARANTEES,
    reference=PAPER,
    connected=Connected("n ≥ m and gcd(m, base row) = 1", lambda n, m, k: n >= m and _gcd(n_right=m, degree=k) == 1),
)
def fibonacci_rotating(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """Fibonacci numbers, rotated."""
    return rotate(fibonacci_offsets(degree, n_right), n_left, n_right)


def long_short_offsets(degree: int, n_right: int) -> npt.NDArray[np.int64]:
    """The base row of ``long_short_rotating``.

    The run is 0 … h−1 with h = ⌈k/2⌉. The s = ⌊k/2⌋ others cut the rest of the circle, from the end of the run round
    to its beginning, into s + 1 gaps that differ by at most one.

    Examples
    --------
    >>> long_short_offsets(5, 12).tolist()
    [0, 1, 2, 5, 8]
    """
    run = (degree + 1) // 2
    spread = degree // 2
    steps = np.arange(1, spread + 1) * (n_right - run + 1) // (spread + 1)
    return np.concatenate([np.arange(run), run - 1 + steps])


def fibonacci_offsets(degree: int, n_right: int) -> npt.NDArray[np.int64]:
    """The base row of ``fibonacci_rotating``.

    The first k Fibonacci numbers F_1, F_2, … = 1, 1, 2, 3, 5, …, the first 1 standing for index 0. When F_k reaches
    the number of outputs m, each becomes ⌊F · m / F_k⌋ mod m; a taken place moves to the next free one (cyclically), so
    there are exactly k.

    Examples
    --------
    >>> fibonacci_offsets(6, 100).tolist()
    [0, 1, 2, 3, 5, 8]
    >>> fibonacci_offsets(6, 8).tolist()
    [0, 1, 2, 3, 5, 4]
    >>> fibonacci_offsets(6, 7).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    numbers = [0, 1]
    while len(numbers) < degree:
        numbers.append(numbers[-1] + (numbers[-2] or 1))
    numbers = numbers[:degree]
    if numbers[-1] >= n_right:
        numbers = [number * n_right // numbers[-1] for number in numbers]
    next_free = list(range(n_right))  # a forest that leads from a taken place to the next free one

    def find(place: int) -> int:
        while next_free[place] != place:
            next_free[place] = next_free[next_free[place]]
            place = next_free[place]
        return place

    offsets = []
    for number in numbers:
        place = find(number % n_right)
        offsets.append(place)
        next_free[place] = (place + 1) % n_right
    return np.array(offsets, dtype=np.int64)


def _gcd(n_right: int, degree: float) -> int:
    return int(np.gcd.reduce(fibonacci_offsets(int(degree), n_right), initial=n_right))
