"""`topograph.lanes` against sums that are exact."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from topograph.lanes import GROUP, add_dot, add_dots, load_lanes
from topograph.tiles import LANES


@numba.njit
def _one_by_one(sums, near, row, far, rows):
    lanes = load_lanes(near, row)
    for position in range(GROUP):
        add_dot(sums, np.uint64(position), lanes, far, rows)


@numba.njit
def _together(sums, near, row, far, rows):
    add_dots(sums, np.uint64(0), load_lanes(near, row), far, rows)


def _drawn(dtype, draw):
    rng = np.random.default_rng(0)
    near, far = (draw(rng, (rows, LANES)).astype(dtype) for rows in (3, 20))
    return draw(rng, GROUP).astype(dtype), near, 2, far, rng.integers(0, 20, GROUP).astype(np.uint32)


@pytest.mark.parametrize("call", [_one_by_one, _together])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_summed(dtype, call):
    sums, near, row, far, rows = _drawn(dtype, lambda rng, shape: rng.integers(-9, 10, shape))
    expected = sums + far[rows] @ near[row]
    call(sums, near, row, far, rows)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_summed_together_have_the_bits_of_those_summed_one_by_one(dtype):
    """Also where the sums are not 0, as for all tiles of a batch but the first: there compilers would reorder."""
    sums, *arguments = _drawn(dtype, lambda rng, shape: rng.normal(size=shape))
    for before in (sums, np.zeros_like(sums)):
        alone, together = before.copy(), before.copy()
        _one_by_one(alone, *arguments)
        _together(together, *arguments)
        np.testing.assert_array_equal(alone, together)
