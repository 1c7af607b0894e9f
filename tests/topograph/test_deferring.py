"""Functions that run as plain Python until compiling them pays: the same numbers, to the bit, before and after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.fresh_process import run
from topograph.deferring import Deferred
from topograph.spectral import index_arrays
from topograph.spectral.lanczos import tridiagonal


def _same(deferred, *arguments, written=(), meanwhile=None):
    """The results of both forms, each on copies of the arrays, and what they write."""
    seen = []
    deferred = Deferred(deferred.py_func, meanwhile)  # in its module the compiled form may stand already
    for call in (deferred.interpret, deferred.compile()):
        given = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        seen.append((call(*given), *(given[k].tobytes() for k in written)))
    assert str(seen[0]) == str(seen[1]), deferred.__name__
    assert type(seen[0][0]) is type(seen[1][0])
    return seen[0][0]


@pytest.mark.parametrize("seed", range(3))
def test_a_tridiagonal_matrix_is_the_same_to_the_bit_before_and_after_compilation(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 60))
    alphas, betas = rng.standard_normal(k), np.abs(rng.standard_normal(k + 1)) + 0.01
    theta = _same(tridiagonal.smallest_ritz_value, alphas, betas, k, float(alphas.min()), 0.0)
    second = _same(tridiagonal.second_ritz_value, alphas, betas, k, theta)
    coordinates = tridiagonal.ritz_coordinates(alphas, betas, k, theta)
    _same(tridiagonal._iterate_inversely, alphas, betas, k, theta, np.empty(k), np.ones(k), written=(4, 5))
    for mu in (theta - 1e-6, theta - 1.0, theta + 0.1):
        _same(tridiagonal.growth, alphas, betas, k, mu)
    _same(tridiagonal.certified_floor, alphas, betas, k, theta, 1e3, 1e-8)
    for least in (1e-3, 10.0):
        _same(tridiagonal.filtered_above, alphas, betas, k, coordinates, theta, second, least)
        _same(tridiagonal.shortfall, alphas, betas, k, coordinates, theta, second, 1e-6, least)
    _same(tridiagonal.shortfall, alphas, betas, k, coordinates, theta, theta, 1e-6, 1e-3)  # divides by 0


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_index_arrays_are_the_same_by_sorting_and_by_counting(dtype):
    rng = np.random.default_rng(4)
    mask = rng.random((40, 30)) < 0.1
    mask[:, 7] = mask[3] = False
    indptr = np.concatenate([[0], mask.sum(1).cumsum()]).astype(np.uint32)
    indices = np.nonzero(mask)[1].astype(dtype)
    columns, rows = index_arrays.transpose(indptr, indices, 30)
    for lo, hi in ((0, 30), (0, 7), (7, 8), (8, 30), (29, 30)):
        starts = np.zeros(31, np.uint32)
        by_numpy, by_sorting = index_arrays._count_by_numpy, index_arrays._place_by_sorting
        _same(index_arrays._count, indptr, indices, starts, lo, hi, written=(2,), meanwhile=by_numpy)
        arguments = indptr, indices, columns.copy(), np.zeros_like(indices), lo, hi
        _same(index_arrays._place, *arguments, written=(3,), meanwhile=by_sorting)
    assert np.array_equal(columns, np.concatenate([[0], mask.sum(0).cumsum()]))
    assert np.array_equal(rows, np.nonzero(mask.T)[1])
    arguments = indptr, indices, rng.random(indices.size), columns, np.empty(indices.size)
    by_sorting = index_arrays._transpose_data_by_sorting
    _same(index_arrays._transpose_data, *arguments, written=(4,), meanwhile=by_sorting)


@pytest.mark.parametrize("connected", [True, False])
def test_connectedness_is_the_same_by_scipy_and_by_search(connected):
    from topograph import BipartiteGraph
    from topograph.spectral.pattern import Pattern

    mask = np.eye(6, dtype=bool)
    if connected:
        mask[:, 0] = True
    pattern = Pattern.of(BipartiteGraph.from_mask(mask))
    search = Deferred(index_arrays._reaches_all.py_func, index_arrays._is_one_component)
    arguments = pattern.by_rows, pattern.by_columns
    for call in (search.interpret, search.compile()):
        assert call(*arguments, np.zeros(12, np.uint8), np.empty(12, np.int64)) is connected


def test_a_function_is_compiled_once_patience_is_spent(tmp_path):
    (tmp_path / "adder.py").write_text(
        "from topograph.deferring import deferred\n\n\n@deferred\ndef add(x):\n    return x + 1\n"
    )
    code = (
        "from topograph import deferring\nimport sys\nfrom adder import add\n"
        "print(add(1), 'numba' in sys.modules)\n"
        "deferring.PATIENCE = 0.0\n"
        "print(add(1), add(1), 'numba' in sys.modules)"
    )
    assert run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) == ["2", "False", "2", "2", "True"]


def test_until_then_another_function_may_stand_in():
    assert Deferred(lambda x: x + 1, meanwhile=lambda x: x + 2).interpret(1) == 3


def test_threads_that_reach_a_function_at_once_compile_it_once():
    count = Deferred(index_arrays._count.py_func)
    with ThreadPoolExecutor(8) as pool:
        compiled = [job.result() for job in [pool.submit(count.compile) for _ in range(16)]]
    assert len(set(map(id, compiled))) == 1
