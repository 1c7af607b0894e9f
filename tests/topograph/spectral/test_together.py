"""Lanes that share their passes go the same way as each alone."""

import numpy as np
import pytest

import topograph as tg
from topograph.spectral import QUANTITIES, compute_spectrum, operators
from topograph.spectral.lane import Lane
from topograph.spectral.operators import FullOperator, HalfOperator, Run, Track, advance_runs
from topograph.spectral.pattern import Pattern
from topograph.spectral.together import alone, together


def _pattern(weighted=False):
    graph = tg.construct("random_edge", 60, 40, degree=9, seed=3)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, graph.n_edges) if weighted else None
    return Pattern.of(graph, weights)


def _operators(pattern):
    return [
        FullOperator(pattern, -1),
        HalfOperator.gram(pattern),
        HalfOperator.normalized(pattern),
        FullOperator(pattern, 1),
    ]


def _run(operator, first=0, followed=True):
    random = np.random.default_rng(operator.size)
    start, other = random.standard_normal(operator.size), random.standard_normal(operator.size)
    known = random.standard_normal(operator.size)
    metric = np.ones(operator.size) if operator.inner is None else operator.inner
    known /= np.sqrt(float((metric * known) @ known))
    betas = np.ones(20)
    betas[0] = np.sqrt(float((metric * start) @ start))
    track = Track.of(start, other if followed else None, 12)
    run = Run(operator, track, known, np.zeros(20), betas, 0)
    if first:
        operator.advance(track, known, run.alphas, betas, 0, first)
    return Run(operator, track, known, run.alphas, betas, first)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("followed", [False, True])
def test_runs_that_share_passes_take_the_steps_they_take_alone(count, weighted, threads, followed, monkeypatch):
    chosen = _operators(_pattern(weighted))[:count]
    firsts = range(count)  # each may be at a step of its own
    single = [_run(operator, first, followed) for operator, first in zip(chosen, firsts, strict=True)]
    for run in single:
        assert run.operator.advance(run.track, run.known, run.alphas, run.betas, run.first, 7) == run.first + 7
    shared = [_run(operator, first, followed) for operator, first in zip(chosen, firsts, strict=True)]
    if threads:
        monkeypatch.setattr(operators, "split_rows", lambda pattern: ([(0, 25), (25, 60)], [(0, 13), (13, 40)]))
    assert advance_runs(shared, 7) == 7
    for run, other in zip(single, shared, strict=True):
        np.testing.assert_allclose(other.alphas, run.alphas, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(other.betas, run.betas, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(other.track.vector, run.track.vector, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(other.track.other, run.track.other, rtol=1e-7, atol=1e-7)
        kept = run.first + 7
        np.testing.assert_allclose(other.track.basis[:kept], run.track.basis[:kept], rtol=1e-7, atol=1e-7)


def test_all_stop_where_one_has_nothing_left():
    pattern = Pattern.of(tg.construct("regular_rotating", 80, 40, degree=8, seed=0))
    constant = np.ones(pattern.n_right)  # an eigenvector, both sides being regular: its Krylov space has one dimension
    full, half = _run(FullOperator(pattern, -1)), _run(HalfOperator.gram(pattern))
    half.track.vector[:] = constant
    half.betas[0] = np.sqrt(pattern.n_right)
    half.known[:] = 0.0
    assert advance_runs([full, half], 9) == 1
    lanes = [Lane(half.operator, None, 1e-8, start=constant), Lane(FullOperator(pattern, 1), None, 1e-8)]
    assert together([lane.running(60) for lane in lanes]) == [True, True]
    assert lanes[0].exhausted
    assert lanes[0].steps == 1
    assert lanes[1].steps > 1


def test_results_of_runs_come_in_their_order():
    pattern = _pattern()
    chosen = [HalfOperator.gram(pattern), FullOperator(pattern, 1)]
    lanes = [Lane(operator, None, 1e-8, seed=2) for operator in chosen]
    assert together([lane.running(39) for lane in lanes]) == [True, True]
    for lane, operator in zip(lanes, chosen, strict=True):
        again = Lane(operator, None, 1e-8, seed=2)
        assert alone(again.running(39))
        assert lane.result().value == pytest.approx(again.result().value, rel=1e-9)


@pytest.mark.parametrize("shape", [(150, 90), (90, 150)])
def test_a_quantity_is_the_same_in_company(shape):
    """With either side the smaller, and with inputs of one degree, where λ2 may have a pattern of its own."""
    for construction in ("random_edge", "random_regular"):
        graph = tg.construct(construction, *shape, degree=9, seed=1)
        both = compute_spectrum(graph, method="lanczos")
        for name in QUANTITIES:
            single = compute_spectrum(graph, method="lanczos", quantities=[name])[name]
            assert single.value == pytest.approx(both[name].value, rel=2e-8)
            assert max(single.low, both[name].low) <= min(single.high, both[name].high)


def test_a_large_pattern_has_narrow_indices_and_the_same_products():
    """From a million edges on, indices have 16 bits, and are fetched early, past the end of the array too."""
    mask = np.random.default_rng(0).random((1100, 1000)) < 0.95
    graph = tg.BipartiteGraph.from_mask(mask)
    pattern = Pattern.of(graph)
    assert pattern.indices.dtype == np.uint16
    runs = [_run(operator) for operator in _operators(pattern)[:2]]
    sources = [run.track.vector.copy() for run in runs]
    assert advance_runs(runs, 1) == 1
    dense = mask.astype(float)
    full = np.diag(np.concatenate([pattern.left, pattern.right]))
    full[:1100, 1100:], full[1100:, :1100] = -dense, -dense.T
    for run, source, matrix in zip(runs, sources, (full, -dense.T @ dense), strict=True):
        vector = source / run.betas[0]
        assert run.alphas[0] == pytest.approx(vector @ matrix @ vector, rel=1e-10)
    single = _run(runs[0].operator)
    runs[0].operator.advance(single.track, single.known, single.alphas, single.betas, 0, 1)
    assert single.alphas[0] == pytest.approx(runs[0].alphas[0], rel=1e-12)
