"""The portable code against what numba makes of the same source in this process."""

from __future__ import annotations

import numpy as np
import pytest

from topograph import BipartiteGraph
from topograph.machine_code import address_of
from topograph.seats import seats
from topograph.spectral.lanczos import kernels, operators, passes, products
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.table import Share
from topograph.spectral.pattern import Pattern

AGAIN = "NUMBA_CACHE_DIR=$(mktemp -d) python -m topograph.spectral.lanczos.kernels"


def _pattern(weighted: bool, bits: int) -> Pattern:
    rng = np.random.default_rng(bits)
    graph = BipartiteGraph.from_mask(rng.random((90, 70)) < 0.2)
    pattern = Pattern.of(graph, rng.random(graph.n_edges) + 0.5 if weighted else None)
    kind = np.uint16 if bits == 16 else np.uint32
    columns = pattern.col_indptr, pattern.col_indices.astype(kind), pattern.weights, pattern.col_weights
    return Pattern(pattern.indptr, pattern.indices.astype(kind), *columns)


def test_the_portable_code_is_that_of_the_sources():
    assert kernels.KERNELS.code is not None, f"a kernel has changed; run {AGAIN}"


def _coefficients(pattern: Pattern, advance: object) -> np.ndarray:
    """What some steps of two runs, over both sides and over one, leave."""
    both = [operators.FullOperator(pattern, -1), operators.HalfOperator.normalized(pattern)]
    runs = [LanczosRun(operator, None, 1e-8, seed=3) for operator in both]
    for run in runs:
        run.make_room(5)
    table = np.array([operators._row(run.operator, run.state) for run in runs])
    length = 4 * (max(pattern.shape) + sum(pattern.shape))
    source = runs[0].state.work_space(length)
    share, seat = Share(0, pattern.n_left, 0, pattern.n_right), seats(1)[0]
    assert advance(table, 4, source, source + 32 * max(pattern.shape), 5, share, seat) == 5
    return np.concatenate([part for run in runs for part in (run.alphas[:5], run.betas[:6])])


@pytest.mark.parametrize(("weighted", "bits"), [(False, 16), (False, 32), (True, 32)])
def test_portable_passes_are_those_of_numba(weighted, bits):
    """To rounding: both may reorder sums, and each is always used where it is used at all."""
    pattern = _pattern(weighted, bits)
    assert kernels._find("advance", pattern.by_rows) is not None
    ours = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    again = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    numbas = _coefficients(pattern, lambda *given: passes.advance(pattern.by_rows, pattern.by_columns, *given))
    assert ours.tobytes() == again.tobytes()
    assert ours == pytest.approx(numbas, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_portable_products_are_the_products(weighted):
    pattern = _pattern(weighted, 32)
    dense = np.zeros(pattern.shape)
    rows = np.repeat(np.arange(pattern.n_left), np.diff(pattern.indptr))
    dense[rows, pattern.indices] = 1.0 if pattern.weights is None else pattern.weights
    vector = np.random.default_rng(1).standard_normal(pattern.n_right)
    out, other = np.empty(pattern.n_left), np.empty(pattern.n_left)
    kernels.gather(pattern.by_rows, vector, out)
    products.gather(pattern.by_rows, vector, other)
    assert out.tobytes() == other.tobytes()
    assert out == pytest.approx(dense @ vector)
    pair = np.ascontiguousarray(np.stack([vector, 2 * vector], axis=1))
    several = np.zeros((2, pattern.n_left))
    stride = 8 * pattern.n_left
    kernels.gather_several(pattern.by_rows, address_of(pair), address_of(several), stride, 2, 0, pattern.n_left)
    assert several == pytest.approx(np.stack([dense @ vector, 2 * dense @ vector]))


def test_more_edges_than_32_bits_count_are_left_to_numba():
    pattern = _pattern(False, 32)
    assert kernels._find("advance", pattern.by_rows._replace(indptr=pattern.indptr.astype(np.uint64))) is None
