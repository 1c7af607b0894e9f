"""Exactly as many edges as asked for, ties drawn by the seed, broken scores refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topograph.errors import TrainingError
from trainers.pruning.edges import keep_largest, keep_largest_of_all


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.data())
def test_the_largest_scores_are_kept_exactly_whatever_the_ties(values, data):
    scores = np.array(values, dtype=float)
    candidates = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    edges = data.draw(st.integers(0, int(candidates.sum())))
    keep = keep_largest(scores, candidates, edges, np.random.default_rng(0))
    assert keep.sum() == edges
    assert not (keep & ~candidates).any()
    if 0 < edges < candidates.sum():
        assert scores[keep].min() >= scores[candidates & ~keep].max()


def test_equal_scores_are_drawn_by_the_seed_and_each_is_as_likely():
    drawn = [keep_largest(np.ones(6), np.ones(6, bool), 2, np.random.default_rng(seed)) for seed in range(600)]
    again = keep_largest(np.ones(6), np.ones(6, bool), 2, np.random.default_rng(3))
    assert np.array_equal(drawn[3], again)
    shares = np.mean(drawn, axis=0)  # 1/3 each, with a standard deviation of 0.019
    assert np.abs(shares - 1 / 3).max() < 0.08


def test_nothing_is_drawn_where_no_scores_are_equal_at_the_border():
    generator = np.random.default_rng(0)
    keep_largest(np.array([1.0, 2.0, 3.0]), np.ones(3, bool), 2, generator)
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_with_their_number(broken):
    scores = np.array([1.0, broken, 2.0])
    with pytest.raises(TrainingError, match="1 of 3 scores are NaN or infinite"):
        keep_largest(scores, np.ones(3, bool), 1, np.random.default_rng(0))
    assert keep_largest(scores, np.array([True, False, True]), 1, np.random.default_rng(0)).tolist() == [
        False,
        False,
        True,
    ]


def test_scores_of_all_layers_are_compared_together():
    keep = keep_largest_of_all(
        [np.array([1.0, 9.0]), np.array([5.0, 7.0, 2.0])], [np.ones(2, bool), np.ones(3, bool)], 3,
        np.random.default_rng(0),
    )  # fmt: skip
    assert [part.tolist() for part in keep] == [[False, True], [True, True, False]]
