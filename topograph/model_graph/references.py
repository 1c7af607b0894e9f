"""`References`: which units an array holds, and the ways of numbers between units and arrays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Ids = npt.NDArray[np.integer]


class References:
    """An array of unit numbers; 0 stands for a constant 0, to which no edge leads.

    Vectors over units have an entry 0 in front, which is always 0.

    Parameters
    ----------
    ids
        Unit numbers, any shape.

    Examples
    --------
    >>> references = References(np.array([[1, 2], [2, 0]]))
    >>> references.take(np.array([0.0, 10.0, 20.0])).tolist()
    [[10.0, 20.0], [20.0, 0.0]]
    >>> sums = np.zeros(3)
    >>> references.add_to(sums, np.ones((2, 2)))
    >>> sums.tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(self, ids: Ids) -> None:
        self.ids = np.ascontiguousarray(ids, dtype=np.int32)
        flat = self.ids.ravel()
        is_range = flat.size > 0 and flat[0] > 0 and int(flat[-1]) - int(flat[0]) == flat.size - 1
        self._start = int(flat[0]) if is_range and bool((np.diff(flat) == 1).all()) else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.ids.shape

    @property
    def size(self) -> int:
        """Number of its elements."""
        return self.ids.size

    @property
    def is_range(self) -> bool:
        """Whether they are consecutive units, in order."""
        return self._start is not None

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Where there is a unit."""
        return np.asarray(self.ids > 0)

    @cached_property
    def all_present(self) -> bool:
        """Whether there is a unit everywhere."""
        return self.is_range or bool(self.present.all())

    @cached_property
    def lowest(self) -> int:
        """The lowest unit."""
        return int(self.ids[self.present].min(initial=np.iinfo(np.int32).max))

    @cached_property
    def places(self) -> Ids:
        """From the lowest unit on, 1, 2, …; 0 where there is no unit."""
        return np.where(self.present, self.ids - (self.lowest - 1), 0).ravel()

    def take(self, x: npt.NDArray[np.float64]) -> Numbers:
        """The numbers of the units, as the array lies."""
        if self._start is not None:
            return x[self._start : self._start + self.size].reshape(self.shape)
        return x[self.ids]

    def add_to(self, x: Numbers, values: npt.NDArray[np.float64]) -> None:
        """Add numbers to the units; a unit that appears several times gets the sum."""
        if self._start is not None:
            x[self._start : self._start + self.size] += values.ravel()
        elif self.size:
            sums = np.bincount(self.places, weights=values.ravel())[1:]
            x[self.lowest : self.lowest + sums.size] += sums
