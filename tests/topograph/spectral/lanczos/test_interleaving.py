"""Lanczos runs that share their passes take the steps that each takes alone."""

import numpy as np
import pytest

import topograph as tg
from topograph.spectral import QUANTITIES, compute_spectrum
from topograph.spectral.lanczos.interleaving import complete, complete_together
from topograph.spectral.lanczos.operators import FullOperator, HalfOperator, advance_together
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.pattern import Pattern


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


def _state(operator, steps=0, followed=True, room=12):
    random = np.random.default_rng(operator.size)
    start, other = random.standard_normal(operator.size), random.standard_normal(operator.size)
    known = random.standard_normal(operator.size)
    metric = np.ones(operator.size) if operator.inner is None else operator.inner
    known /= np.sqrt(float((metric * known) @ known))
    state = LanczosState(start, np.sqrt(float((metric * start) @ start)), known, other if followed else None)
    state.make_room(room, 100)
    if steps:
        operator.advance(state, steps)
    return state


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("followed", [False, True])
def test_runs_that_share_passes_take_the_steps_they_take_alone(count, weighted, threads, followed):
    operators = _operators(_pattern(weighted))[:count]
    parts = ([(0, 25), (25, 60)], [(0, 13), (13, 40)]) if threads else None
    alone = [_state(operator, steps, followed) for steps, operator in enumerate(operators)]
    for operator, state in zip(operators, alone, strict=True):
        operator.advance(state, 7)
    shared = [_state(operator, steps, followed) for steps, operator in enumerate(operators)]
    advance_together(list(zip(operators, shared, strict=True)), 7, parts)
    for steps, (single, state) in enumerate(zip(alone, shared, strict=True)):
        assert state.steps == single.steps == steps + 7
        np.testing.assert_allclose(state.alphas, single.alphas, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state.betas, single.betas, rtol=1e-9, atol=1e-9)
        kept = steps + 8
        np.testing.assert_allclose(state.basis[:kept], single.basis[:kept], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("followed", [False, True])
def test_a_state_without_room_goes_on_with_its_last_vectors(followed):
    operator = HalfOperator.normalized(_pattern())
    kept, short = _state(operator, followed=followed), _state(operator, followed=followed, room=2)
    operator.advance(kept, 11)
    for _ in range(11):
        short.make_room(short.steps + 1, 4)
        operator.advance(short, 1)
    assert kept.is_kept
    assert not short.is_kept
    np.testing.assert_array_equal(short.alphas[:11], kept.alphas[:11])
    np.testing.assert_array_equal(short.betas[:12], kept.betas[:12])
    np.testing.assert_array_equal(short.at(11), kept.at(11))


def test_all_stop_where_one_has_nothing_left():
    pattern = Pattern.of(tg.construct("regular_rotating", 80, 40, degree=8, seed=0))
    constant = np.ones(pattern.n_right)  # an eigenvector, both sides being regular: its Krylov space has one dimension
    full, half = FullOperator(pattern, -1), HalfOperator.gram(pattern)
    states = [_state(full), LanczosState(constant, np.sqrt(constant.size), np.zeros(constant.size))]
    advance_together([(full, states[0]), (half, states[1])], 9)
    assert [state.steps for state in states] == [1, 1]
    assert [state.exhausted for state in states] == [False, True]
    runs = [LanczosRun(half, None, 1e-8, start=constant), LanczosRun(FullOperator(pattern, 1), None, 1e-8)]
    assert complete_together([run.stepwise(60) for run in runs]) == [True, True]
    assert runs[0].exhausted
    assert runs[0].steps == 1
    assert runs[1].steps > 1


def test_results_of_computations_come_in_their_order():
    pattern = _pattern()
    operators = [HalfOperator.gram(pattern), FullOperator(pattern, 1)]
    runs = [LanczosRun(operator, None, 1e-8, seed=2) for operator in operators]
    assert complete_together([run.stepwise(39) for run in runs]) == [True, True]
    for run, operator in zip(runs, operators, strict=True):
        again = LanczosRun(operator, None, 1e-8, seed=2)
        assert complete(again.stepwise(39))
        assert run.result().value == pytest.approx(again.result().value, rel=1e-9)


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
    operators = _operators(pattern)[:2]
    states = [_state(operator) for operator in operators]
    sources = [state.at(0)[0] / state.betas[0] for state in states]
    advance_together(list(zip(operators, states, strict=True)), 1)
    dense = mask.astype(float)
    full = np.diag(np.concatenate([pattern.left, pattern.right]))
    full[:1100, 1100:], full[1100:, :1100] = -dense, -dense.T
    for state, vector, matrix in zip(states, sources, (full, -dense.T @ dense), strict=True):
        assert state.alphas[0] == pytest.approx(vector @ matrix @ vector, rel=1e-10)
    single = _state(operators[0], 1)
    assert single.alphas[0] == pytest.approx(states[0].alphas[0], rel=1e-12)
