"""The portable code against what numba makes of the same source in this process."""

from __future__ import annotations

import numpy as np
import pytest

from topograph import BipartiteGraph
from topograph.machine_code import address_of
from topograph.seats import seats
from topograph.spectral import pattern as patterns
from topograph.spectral.lanczos import kernels, operators, products
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.table import ROOM_FOR_SUMS, WORD, Share, space_for
from topograph.spectral.pattern import Pattern

AGAIN = "NUMBA_CACHE_DIR=$(mktemp -d) python -m topograph.spectral.lanczos.kernels"


def _pattern(weighted: bool, bits: int) -> Pattern:
    rng = np.random.default_rng(bits)
    graph = BipartiteGraph.from_mask(rng.random((90, 70)) < 0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_NARROW_FROM", 1 if bits == 16 else graph.n_edges + 1)
        pattern = Pattern.of(graph, rng.random(graph.n_edges) + 0.5 if weighted else None)
        assert pattern.indices.itemsize == pattern.col_indices.itemsize == bits // 8
        assert not pattern.is_half_dense
    return pattern


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
    sums = runs[0].state.work_space(ROOM_FOR_SUMS + length)
    source = sums + 8 * ROOM_FOR_SUMS
    space = np.empty(space_for(4, max(pattern.shape)))
    share, seat = Share(0, pattern.n_left, 0, pattern.n_right, address_of(space)), seats(1)[0]
    assert advance(table, 4, source, source + 32 * max(pattern.shape), sums, 5, share, seat) == 5
    return np.concatenate([part for run in runs for part in (run.alphas[:5], run.betas[:6])])


@pytest.mark.parametrize(
    ("weighted", "bits", "by_codes"), [(False, 16, False), (False, 32, False), (True, 32, False), (False, 16, True)]
)
def test_portable_passes_are_those_of_numba(monkeypatch, weighted, bits, by_codes):
    """To rounding: both may reorder sums, and each is always used where it is used at all."""
    pattern = _pattern(weighted, bits)
    monkeypatch.setattr(Pattern, "is_half_dense", by_codes)
    assert kernels._find("advance", pattern.by_rows) is not None
    ours = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    again = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    assert ours.tobytes() == again.tobytes()
    monkeypatch.setattr(kernels.KERNELS, "find", lambda name: None)
    numbas = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    assert ours == pytest.approx(numbas, rel=1e-9)
    monkeypatch.undo()
    pattern = _pattern(weighted, bits)
    plain = _coefficients(pattern, lambda *given: kernels.advance(pattern, *given))
    assert ours == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("bits", [16, 32])
def test_portable_codes_are_the_bits_of_the_pattern(bits):
    pattern = _pattern(False, bits)
    assert kernels._find("write_codes", pattern.by_rows) is not None
    dense = np.zeros(pattern.shape, bool)
    dense[np.repeat(np.arange(pattern.n_left), np.diff(pattern.indptr)), pattern.indices] = True
    for codes, entries in zip(pattern.codes, (dense.T, dense), strict=True):
        bit, word = np.arange(len(entries)) % WORD, np.arange(len(entries)) // WORD
        assert np.array_equal((codes[word] >> bit[:, None].astype(np.uint64)) & 1, entries)


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
