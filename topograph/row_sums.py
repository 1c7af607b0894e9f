"""`row_sums`: the sum of each row's numbers, where rows lie one after the other as in a CSR matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def row_sums(values: npt.NDArray[Any], indptr: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sum of ``values[indptr[i] : indptr[i + 1]]`` for each row i, 0 for an empty one.

    Parameters
    ----------
    values
        Numbers, one per entry; the sum of booleans says whether any is true.
    indptr
        Where each row begins, and where the last one ends.

    Examples
    --------
    >>> row_sums(np.array([1, 2, 4]), np.array([0, 2, 2, 3])).tolist()
    [3, 0, 4]
    """
    sums = np.zeros(indptr.size - 1, values.dtype)
    nonempty = indptr[1:] > indptr[:-1]
    sums[nonempty] = np.add.reduceat(values, indptr[:-1][nonempty].astype(np.int64))
    return sums
