"""`EdgeRule`: which weights are edges: non-zero, above a threshold, or among the largest magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError

_DIGIT = 16  # magnitudes are ranked by 16 bits of their float pattern at a time
_BLOCK = 1 << 22


@dataclass(frozen=True)
class EdgeRule:
    """A weight is an edge when its magnitude is above ``cut``, or is ``cut`` and among the first ``ties`` that are.

    Examples
    --------
    >>> import numpy as np
    >>> EdgeRule(0.5).keep(np.array([0.2, -0.7, 0.5])).tolist()
    [False, True, False]
    >>> EdgeRule(0.5, ties=1).keep(np.array([0.5, -0.7, 0.5])).tolist()
    [True, True, False]
    """

    cut: float = 0.0
    ties: int = 0

    def keep(self, weights: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which entries are edges, in the shape of ``weights``."""
        if self.cut == 0:
            kept: npt.NDArray[np.bool_] = weights != 0
            return kept
        sizes = magnitudes(weights)
        kept = sizes > self.cut
        if self.ties:
            tied = np.flatnonzero(sizes == self.cut)[: self.ties]
            kept[np.unravel_index(tied, kept.shape)] = True
        return kept


NON_ZERO = EdgeRule()


def check_numbers(weights: npt.NDArray[Any]) -> None:
    """Refuse anything that is not a finite real number."""
    if weights.dtype.kind not in "biuf":
        raise InvalidMaskError(f"holds {weights.dtype}, but a mask holds booleans, integers or floats")
    # NaN and infinity both show in the extremes, without a temporary of the layer's size
    if weights.dtype.kind == "f" and weights.size and not (np.isfinite(weights.min()) and np.isfinite(weights.max())):
        bad = weights.size - int(np.count_nonzero(np.isfinite(weights)))
        raise InvalidMaskError(f"holds NaN or infinity in {bad} entries; repair the weights first")


def magnitudes(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Absolute values as float32 where that is exact, as float64 otherwise."""
    kind, size = weights.dtype.kind, weights.dtype.itemsize
    narrow = size <= 4 if kind == "f" else size <= 2
    sizes: npt.NDArray[Any] = np.abs(weights.astype(np.float32 if narrow else np.float64))
    return sizes


def largest(weights: Callable[[], Iterable[tuple[npt.NDArray[Any], int]]], density: float) -> list[EdgeRule]:
    """One rule for each layer, that together keep exactly ``round(density · size)`` of the largest magnitudes.

    The arrays are passed through several times, one at a time: the memory needed is that of one. Zeros are never
    kept, so fewer remain when there are fewer non-zero weights.

    Parameters
    ----------
    weights
        Called for each pass; gives each layer's weights, always the same, and its size (a sparse matrix stores fewer).
    density
        The share to keep, in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> layers = [(np.array([3, -1, 0]), 3), (np.array([2, 2, 2]), 3)]
    >>> largest(lambda: layers, 0.5)
    [EdgeRule(cut=2.0, ties=0), EdgeRule(cut=2.0, ties=2)]
    """
    sizes, non_zero, wide = [], 0, False
    for array, size in weights():
        sizes.append(size)
        non_zero += int(np.count_nonzero(array))
        wide |= magnitudes(array[:0]).dtype == np.float64
    wanted = min(round(density * sum(sizes)), non_zero)
    if not wanted:
        return [EdgeRule(np.inf)] * len(sizes)
    # The bits of a non-negative float order as the floats do, so the cut is found digit by digit, exactly.
    bits, prefix, above = (64 if wide else 32), 0, 0
    for shift in range(bits - _DIGIT, -1, -_DIGIT):
        counts = np.zeros(1 << _DIGIT, dtype=np.int64)
        for array, _ in weights():
            for pattern in _patterns(array, wide):
                # the shift is split since NumPy leaves a shift by the whole width undefined
                inside = pattern[(pattern >> np.uint64(shift)) >> np.uint64(_DIGIT) == np.uint64(prefix)]
                digits = (inside >> np.uint64(shift)) & np.uint64((1 << _DIGIT) - 1)
                counts += np.bincount(digits.astype(np.int64), minlength=counts.size)
        from_top = above + np.cumsum(counts[::-1])
        place = int(np.argmax(from_top >= wanted))
        above = int(from_top[place] - counts[::-1][place])
        prefix = (prefix << _DIGIT) | (counts.size - 1 - place)
    pattern_type, float_type = (np.uint64, np.float64) if wide else (np.uint32, np.float32)
    cut = float(np.array([prefix], dtype=pattern_type).view(float_type)[0])
    rules, left = [], wanted - above
    for array, _ in weights():
        ties = min(left, sum(int(np.count_nonzero(p == np.uint64(prefix))) for p in _patterns(array, wide)))
        rules.append(EdgeRule(cut, ties))
        left -= ties
    return rules


def _patterns(array: npt.NDArray[Any], wide: bool) -> Iterator[npt.NDArray[np.uint64]]:
    """The bit patterns of the magnitudes, block by block."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        sizes = magnitudes(flat[start : start + _BLOCK])
        yield (
            sizes.astype(np.float64).view(np.uint64)
            if wide
            else sizes.astype(np.float32).view(np.uint32).astype(np.uint64)
        )
