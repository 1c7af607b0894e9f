"""Threads share the steps of large graphs: their number changes no bit, and nobody waits for ever."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import topograph as tg
from topograph.spectral import threads
from topograph.spectral.lanczos import operators
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.pattern import Pattern

PATTERN = Pattern.of(tg.construct("erdos_renyi", 90, 70, density=0.12, seed=0))
WHOLE = [(0, 90)], [(0, 70)]
SHARED = [(0, 20), (20, 21), (21, 90)], [(0, 70)]  # fewer parts of one side than of the other


def steps(parts):
    """What thirty steps of two runs leave."""
    both = [operators.FullOperator(PATTERN, -1), operators.HalfOperator.normalized(PATTERN)]
    runs = [LanczosRun(operator, None, 1e-8, seed=3) for operator in both]
    for _ in range(3):
        for run in runs:
            run.make_room(10)
        operators.advance_together([(run.operator, run.state) for run in runs], 10, parts)
    return np.concatenate([part for run in runs for part in (run.alphas[:30], run.betas[:31])]).tobytes()


def test_the_number_of_threads_does_not_change_a_bit():
    assert steps(WHOLE) == steps(SHARED)


def test_several_callers_at_once_do_not_wait_for_each_other():
    with ThreadPoolExecutor(4) as pool:
        results = [job.result(timeout=120) for job in [pool.submit(steps, SHARED) for _ in range(40)]]
    assert set(results) == {steps(WHOLE)}


def test_a_thread_that_cannot_start_leaves_nobody_waiting(monkeypatch):
    class Full:
        """A pool with room for one call."""

        def __init__(self, pool):
            self.pool, self.jobs = pool, []

        def submit(self, *call):
            if self.jobs:
                raise RuntimeError("can't start new thread")
            self.jobs.append(self.pool.submit(*call))
            return self.jobs[0]

    with ThreadPoolExecutor(1) as pool:
        full = Full(pool)
        monkeypatch.setattr(threads, "_pool", lambda process: full)
        with pytest.raises(RuntimeError, match="new thread"):
            steps(SHARED)
        assert full.jobs[0].done()
    monkeypatch.undo()
    assert steps(SHARED) == steps(WHOLE)


@pytest.mark.parametrize("cores", [2, 3, 7])
def test_threads_that_share_a_pattern_make_the_same_arrays(monkeypatch, cores):
    graph = tg.construct("erdos_renyi", 200, 150, density=0.4, seed=1)
    alone = Pattern.of(graph)
    monkeypatch.setattr(threads, "_EDGES", 1)
    monkeypatch.setattr(threads, "available_cores", lambda: cores)
    shared = Pattern.of(graph)
    assert np.array_equal(shared.col_indptr, alone.col_indptr)
    assert np.array_equal(shared.col_indices, np.nonzero(graph.to_mask().T)[1])
    monkeypatch.undo()
    by_one = alone.codes
    monkeypatch.setattr(threads, "_EDGES", 1)
    monkeypatch.setattr(threads, "available_cores", lambda: cores)
    for one, other in zip(by_one, shared.codes, strict=True):
        assert np.array_equal(one, other)


def long_steps(graph, parts):
    """What steps over vectors of several blocks leave, and whether they end the Krylov space."""
    operator = operators.FullOperator(Pattern.of(graph), -1)
    run = LanczosRun(operator, None, 1e-8, seed=3)
    run.make_room(8)
    operators.advance_together([(operator, run.state)], 8, parts)
    return np.concatenate([run.alphas[:8], run.betas[:9]]), run.exhausted, run.state


def test_vectors_of_several_blocks_are_shared_without_changing_a_bit():
    graph = tg.construct("erdos_renyi", 3000, 2500, density=0.002, seed=0)
    parts = [(0, 20), (20, 21), (21, 3000)], [(0, 700), (700, 2500)]
    alone, _, state = long_steps(graph, ([(0, 3000)], [(0, 2500)]))
    shared, _, other = long_steps(graph, parts)
    assert alone.tobytes() == shared.tobytes()
    assert state.basis[:9].tobytes() == other.basis[:9].tobytes()
    mask = graph.to_mask(float)
    degrees = np.concatenate([mask.sum(1), mask.sum(0)])
    before, vector, beta = np.zeros(5500), state.basis[0, 0] / state.betas[0], 0.0
    for j in range(8):  # the same recurrence, dense
        after = degrees * vector - np.concatenate([mask @ vector[3000:], vector[:3000] @ mask]) - beta * before
        alpha = vector @ after
        after -= alpha * vector
        before, vector, beta = vector, after / np.linalg.norm(after), np.linalg.norm(after)
        assert alpha == pytest.approx(alone[j], rel=1e-9)
        assert beta == pytest.approx(alone[9 + j], rel=1e-9)


def test_a_krylov_space_of_several_blocks_ends_for_all_workers_at_once():
    """A perfect matching has the eigenvalues 0 and 2: the third vector cancels."""
    graph = tg.BipartiteGraph.from_edges([(i, i) for i in range(3000)])
    ends = []
    for parts in (([(0, 3000)], [(0, 3000)]), ([(0, 1000), (1000, 3000)], [(0, 1500), (1500, 3000)])):
        numbers, is_exhausted, state = long_steps(graph, parts)
        assert is_exhausted
        assert state.steps == 2
        assert np.linalg.eigvalsh([[numbers[0], numbers[9]], [numbers[9], numbers[1]]]) == pytest.approx(
            [0, 2], abs=1e-9
        )
        ends.append(numbers[:2].tobytes())
    assert ends[0] == ends[1]
