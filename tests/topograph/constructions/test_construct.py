from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topograph as tg
from topograph.constructions.families.rotating import fibonacci_offsets, long_short_offsets
from topograph.errors import InvalidParameterError, UnknownNameError

PAPER_SIX = (
    "random_edge",
    "random_rotating",
    "random_regular",
    "regular_rotating",
    "long_short_rotating",
    "fibonacci_rotating",
)
EXACT = PAPER_SIX[1:]
ROTATING = tuple(name for name in EXACT if name.endswith("rotating"))
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def degree_for(name: str, n_right: int) -> int:
    return n_right if name == "dense" else max(1, n_right // 2)


@pytest.mark.parametrize("name", tg.available_constructions())
@pytest.mark.parametrize(("n_left", "n_right"), [(1, 1), (7, 1), (1, 8), (12, 8), (8, 12)])
def test_sweep_shape_and_determinism(name, n_left, n_right):
    try:
        graph = tg.construct(name, n_left, n_right, degree=degree_for(name, n_right), seed=4)
    except InvalidParameterError:
        pytest.skip("these sizes are not feasible for this construction")
    assert graph.shape == (n_left, n_right)
    assert graph == tg.construct(name, n_left, n_right, degree=degree_for(name, n_right), seed=4)


@given(SIZES, st.data())
def test_exact_edge_counts(sizes, data):
    n_left, n_right = sizes
    k = data.draw(st.integers(1, n_right))
    seed = data.draw(st.integers(0, 10))
    for name in EXACT:
        graph = tg.construct(name, n_left, n_right, degree=k, seed=seed)
        assert graph.n_edges == n_left * k
        assert set(graph.left_degrees.tolist()) == {k}
    assert tg.construct("dense", n_left, n_right).n_edges == n_left * n_right


@given(SIZES, st.data())
def test_rotating_rows_are_shifts_of_the_first(sizes, data):
    n_left, n_right = sizes
    k = data.draw(st.integers(1, n_right))
    for name in ROTATING:
        mask = tg.construct(name, n_left, n_right, degree=k, seed=1).to_mask()
        for i in range(n_left):
            assert (mask[i] == np.roll(mask[0], i)).all()


def test_base_rows_are_as_fixed():
    def row(name, m, k):
        return np.flatnonzero(tg.construct(name, 1, m, degree=k).to_mask()[0]).tolist()

    assert row("regular_rotating", 10, 4) == [0, 1, 2, 3]
    assert row("fibonacci_rotating", 300, 10) == [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]
    # F_12 = 144 reaches 100: scaled by 100/144 and rounded down, taken places move on (the last is 100 mod 100)
    assert row("fibonacci_rotating", 100, 12) == sorted([0, 1, 2, 3, 5, 9, 14, 23, 38, 61, 4, 6])
    assert row("long_short_rotating", 12, 5) == [0, 1, 2, 5, 8]
    assert row("long_short_rotating", 12, 1) == [0]


def test_the_scaled_fibonacci_row_by_a_plain_walk():
    """The same rule without the forest of free places: walk on from a taken place, one step at a time."""
    for m in (1, 2, 3, 7, 30, 100, 101):
        for k in range(1, m + 1):
            numbers = [0, 1]
            while len(numbers) < k:
                numbers.append((numbers[-2] or 1) + numbers[-1])
            numbers = numbers[:k]
            if numbers[-1] >= m:
                numbers = [number * m // numbers[-1] for number in numbers]
            taken: list[int] = []
            for number in numbers:
                place = number % m
                while place in taken:
                    place = (place + 1) % m
                taken.append(place)
            assert fibonacci_offsets(k, m).tolist() == taken


@given(st.integers(1, 60), st.data())
def test_long_short_gaps_differ_by_at_most_one(m, data):
    k = data.draw(st.integers(1, m))
    offsets = long_short_offsets(k, m)
    run = (k + 1) // 2
    assert sorted(set(offsets.tolist())) == offsets.tolist()
    assert offsets[:run].tolist() == list(range(run))
    gaps = np.diff(np.concatenate([offsets[run - 1 :], [m]]))
    assert np.ptp(gaps) <= 1


def test_random_edges_are_independent_with_the_right_probability():
    graphs = [tg.construct("random_edge", 30, 20, degree=5, seed=s) for s in range(400)]
    mean = np.mean([graph.to_mask() for graph in graphs], axis=0)
    # 600 cells, each a binomial mean with standard deviation 0.0217: five of them bound the largest of 600
    assert np.abs(mean - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 400)
    edges = np.array([graph.n_edges for graph in graphs])
    assert abs(edges.mean() - 150) < 5 * np.sqrt(600 * 0.25 * 0.75 / 400)
    assert 0.7 < edges.var() / (600 * 0.25 * 0.75) < 1.4
    assert tg.construct("random_edge", 5, 4, degree=4).density == 1
    assert tg.construct("random_edge", 5, 4, degree=0).n_edges == 0


def test_random_rows_are_uniform_subsets():
    # every 2-subset of 4 outputs equally often, both when drawn and when the missing ones are drawn
    for k in (2, 3):
        graph = tg.construct("random_regular", 12_000, 4, degree=k, seed=0)
        codes = graph.to_mask(int) @ (1 << np.arange(4))
        _, counts = np.unique(codes, return_counts=True)
        subsets = {2: 6, 3: 4}[k]
        expected = 12_000 / subsets
        assert len(counts) == subsets
        assert ((counts - expected) ** 2 / expected).sum() < 25  # chi-squared, far beyond its 0.999 quantile


def test_the_seed_is_what_decides():
    for name in ("random_edge", "random_rotating", "random_regular"):
        same = [tg.construct(name, 30, 20, degree=5, seed=s) for s in (0, 0, np.random.default_rng(0))]
        assert same[0] == same[1] == same[2]
        assert same[0] != tg.construct(name, 30, 20, degree=5, seed=1)
    code = "import topograph as tg; print(tg.construct('random_regular', 30, 20, degree=5, seed=7).content_hash)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == tg.construct("random_regular", 30, 20, degree=5, seed=7).content_hash


def test_millions_of_edges_without_a_dense_array():
    import tracemalloc

    for name in PAPER_SIX:
        tracemalloc.start()
        graph = tg.construct(name, 20_000, 20_000, degree=50, seed=0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert abs(graph.n_edges - 1_000_000) < 5_000
        assert peak < 200e6  # a dense mask would be 400e6 bytes of booleans
        if name != "random_edge":
            assert graph.n_edges == 1_000_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"degree": 21}, "degree must be a whole number from 1 to 20, but got degree=21"),
        ({"degree": 0}, "1 to 20"),
        ({"degree": -3}, "degree=-3"),
        ({"degree": 2.5}, "whole number"),
        ({"degree": True}, "whole number"),
        ({"density": 1.5}, "density"),
        ({"density": float("nan")}, "density"),
        ({"degree": 2, "density": 0.1}, "give one of degree, density, sparsity and edges"),
        ({}, "needs degree"),
        ({"degree": 2, "seed": -1}, "seed"),
        ({"degree": 2, "seed": "x"}, "seed"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        tg.construct("random_regular", 10, 20, **arguments)


def test_bad_sizes_and_names_are_refused_in_words():
    with pytest.raises(InvalidParameterError, match="n_left"):
        tg.construct("dense", -1, 3)
    with pytest.raises(InvalidParameterError, match="n_right"):
        tg.construct("dense", 3, 0)
    with pytest.raises(UnknownNameError, match=r"did you mean 'fibonacci_rotating'.*dense"):
        tg.construct("fibonaci_rotating", 3, 3, degree=1)
    with pytest.raises(UnknownNameError, match="option of dense"):
        tg.construct("dense", 3, 3, beta=0.1)
    with pytest.raises(InvalidParameterError, match="leave degree out"):
        tg.construct("dense", 3, 3, degree=2)
