"""How many edges each layer of a network gets, when the network has a given number: exact to the edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from topograph.checks import check_choice, check_integer
from topograph.errors import InvalidParameterError

Kernel = tuple[int, ...] | None
Weight = Callable[[int, int, Kernel], float]


def _erk(n: int, m: int, kernel: Kernel) -> float:
    return n + m if kernel is None else n / math.prod(kernel) + m + sum(kernel)


ALLOCATIONS: dict[str, Weight] = {
    "uniform": lambda n, m, kernel: n * m,
    "er": lambda n, m, kernel: n + m,
    "erk": _erk,
    "balanced": lambda n, m, kernel: 1.0,
    "degree": lambda n, m, kernel: n,
}
"""The edges of a layer of n inputs and m outputs are in proportion to this, up to n · m."""


def allocate_edges(
    pairs: Sequence[tuple[int, int]], edges: int, allocation: str = "uniform", kernels: Sequence[Kernel] | None = None
) -> list[int]:
    """Share a number of edges between layers.

    ============  =====================  ====================================================================
    allocation    in proportion to       source
    ============  =====================  ====================================================================
    ``uniform``   n · m                  the same density everywhere
    ``er``        n + m                  Erdős–Rényi: SET, Mocanu et al. (2018)
    ``erk``       c_in + c_out + h + w   Erdős–Rényi-kernel: RigL, Evci et al. (2020); n + m without a kernel
    ``balanced``  1                      the same number everywhere: Gadhikar, Mukherjee & Burkholz (2023)
    ``degree``    n                      the same mean degree of the inputs everywhere
    ============  =====================  ====================================================================

    A layer that would get more than n · m is dense, and the others share the rest in the same proportions. Shares
    are rounded by largest remainders, and each is at least 1.

    Parameters
    ----------
    pairs
        Inputs and outputs of each layer.
    edges
        Edges of the whole network: from one per layer to all.
    allocation
        One of the table.
    kernels
        For convolutions in the kernel encoding (n = c_in · h · w inputs): the sizes of the kernel for each layer, such
        as height and width, None for the others. Only ``erk`` looks at them.

    Raises
    ------
    InvalidParameterError

    Examples
    --------
    >>> allocate_edges([(784, 300), (300, 10)], 24000, "er")
    [21000, 3000]
    >>> allocate_edges([(784, 300), (300, 10)], 23820, "uniform")
    [23520, 300]
    """
    check_choice("allocation", allocation, ALLOCATIONS)
    kernels = [None] * len(pairs) if kernels is None else list(kernels)
    if len(kernels) != len(pairs):
        raise InvalidParameterError(f"there are {len(pairs)} layers, but kernels has {len(kernels)}: {kernels}")
    for (n, _), kernel in zip(pairs, kernels, strict=True):
        if kernel is not None and n % math.prod(kernel):
            raise InvalidParameterError(f"a kernel of {kernel} does not divide the {n} inputs of its layer")
    rule = ALLOCATIONS[allocation]
    weights = [rule(n, m, kernel) for (n, m), kernel in zip(pairs, kernels, strict=True)]
    return share_edges(weights, [n * m for n, m in pairs], edges)


def share_edges(weights: Sequence[float], rooms: Sequence[int], edges: int) -> list[int]:
    """Share a number of edges in proportion to weights, exactly: from 1 to ``rooms[i]`` for layer i.

    What a full layer cannot take goes to the others, in the same proportions; shares are rounded by largest remainders.

    Parameters
    ----------
    weights
        Positive numbers, one for each layer.
    rooms
        The most edges that each layer can have.
    edges
        From one per layer to all that there is room for.

    Raises
    ------
    InvalidParameterError

    Examples
    --------
    >>> share_edges([3, 1, 1], [10, 100, 100], 50)
    [10, 20, 20]
    """
    room = np.array(rooms, dtype=np.int64)
    edges = check_integer("edges", edges, low=len(rooms), high=int(room.sum()))
    shares = _fill(np.array(weights, dtype=np.float64), room, edges)
    counts = np.clip(np.floor(shares + 1e-9), 1, room).astype(np.int64)
    while (short := edges - int(counts.sum())) != 0:  # at most one step per layer, and few
        step = 1 if short > 0 else -1
        able = counts < room if step > 0 else counts > 1
        counts[np.argmax(np.where(able, step * (shares - counts), -np.inf))] += step
    return [int(count) for count in counts]


def _fill(weights: npt.NDArray[np.float64], room: npt.NDArray[np.int64], edges: int) -> npt.NDArray[np.float64]:
    """min(room, scale · weights) for the scale at which they sum to ``edges``."""
    full = np.zeros(room.size, dtype=bool)
    while True:
        scale = (edges - int(room[full].sum())) / max(float(weights[~full].sum()), 1e-300)
        over = ~full & (scale * weights >= room)
        if not over.any():
            return np.where(full, room, scale * weights)
        full |= over
