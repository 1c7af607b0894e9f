"""Compiled loops that NumPy cannot express: edge swaps and preferential attachment.

Importing this module imports numba, so callers import it on first use. Randomness is a splitmix64 stream in one word of
state: the same in every process and on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.compiling import compiled, part

Integers = npt.NDArray[Any]
State = npt.NDArray[np.uint64]

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_TRIES = 200  # random partners offered to a repeated edge before the next one has its turn


def stream(generator: np.random.Generator) -> State:
    """The state of a compiled random stream, seeded from a NumPy generator."""
    return generator.integers(2**64, size=1, dtype=np.uint64)


@part
def _below(state: State, bound: int) -> int:
    """A number in 0 … bound−1."""
    state[0] += _INCREMENT
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return int(np.float64(z >> _S11) * (1.0 / 9007199254740992.0) * bound)


@compiled
def _holds(columns: Integers, low: int, high: int, value: int) -> bool:
    """Whether the ascending columns[low:high] hold ``value``."""
    while low < high:
        middle = (low + high) >> 1
        if columns[middle] < value:
            low = middle + 1
        elif columns[middle] > value:
            high = middle
        else:
            return True
    return False


@compiled
def _replace(columns: Integers, low: int, high: int, place: int, value: int) -> None:
    """Put ``value`` for columns[place], keeping columns[low:high] ascending."""
    while place + 1 < high and columns[place + 1] < value:
        columns[place] = columns[place + 1]
        place += 1
    while place > low and columns[place - 1] > value:
        columns[place] = columns[place - 1]
        place -= 1
    columns[place] = value


@compiled
def _try_swap(indptr: Integers, rows: Integers, columns: Integers, e: int, f: int) -> bool:
    """Edges (a, b) and (c, d) become (a, d) and (c, b), where both are new."""
    a, c, b, d = rows[e], rows[f], columns[e], columns[f]
    if a == c or b == d:
        return False
    if _holds(columns, indptr[a], indptr[a + 1], d) or _holds(columns, indptr[c], indptr[c + 1], b):
        return False
    _replace(columns, indptr[a], indptr[a + 1], e, d)
    _replace(columns, indptr[c], indptr[c + 1], f, b)
    return True


@compiled
def swap_edges(indptr: Integers, rows: Integers, columns: Integers, proposals: int, state: State) -> int:
    """Propose swaps of two uniformly drawn edges, in place; returns how many were possible."""
    done = 0
    for _ in range(proposals):
        if _try_swap(indptr, rows, columns, _below(state, columns.size), _below(state, columns.size)):
            done += 1
    return done


@compiled
def repair(indptr: Integers, rows: Integers, columns: Integers, state: State) -> None:
    """Swap every repeated edge of a multigraph with ascending rows away, in place."""
    found = True
    while found:
        found = False
        for e in range(1, columns.size):
            if rows[e] != rows[e - 1] or columns[e] != columns[e - 1]:
                continue
            found = True
            for _ in range(_TRIES):
                if _try_swap(indptr, rows, columns, e, _below(state, columns.size)):
                    break


@compiled
def attach_preferentially(degrees: Integers, n_right: int, tokens: int, total: int, state: State) -> Integers:
    """Outputs chosen by each input in turn, with probability proportional to ``tokens`` plus their degree.

    A choice already made by the same input is drawn again, so that ``degrees[i]`` outputs are distinct.
    """
    columns = np.empty(total, dtype=np.int32)
    last = np.full(n_right, -1, dtype=np.int32)
    head = n_right * tokens
    done = 0
    for i in range(degrees.size):
        before = done
        for _ in range(degrees[i]):
            while True:
                token = _below(state, head + before)
                output = token % n_right if token < head else columns[token - head]
                if last[output] != i:
                    break
            last[output] = i
            columns[done] = output
            done += 1
    return columns
