"""A metric of many graphs at once is the metric of each."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import topograph as tg
from tests.topograph.test_stack import layers
from topograph.metrics.registry import get_metric, select_metrics
from topograph.metrics.stacked import Values, stacked
from topograph.stack import GraphStack

SPECTRAL = {metric.name for metric in select_metrics("all") if metric.reads_spectrum}
FAST = [metric.name for metric in select_metrics("fast")]


def _same(graphs):
    """Rows of a table of many graphs against those of each alone: numbers, error bounds, reasons."""
    many = tg.measure({str(place): graph for place, graph in enumerate(graphs)}, "fast", long=True, workers=1)
    for place, graph in enumerate(graphs):
        alone = tg.measure(tg.BipartiteGraph.from_mask(graph.to_mask()), "fast", long=True)
        rows = many[many["layer"] == str(place)]
        assert rows["metric"].tolist() == alone["metric"].tolist() == FAST
        assert rows["reason"].fillna("").tolist() == alone["reason"].fillna("").tolist()
        for name, a, error, b, other in zip(
            FAST, rows["value"], rows["residual"], alone["value"], alone["residual"], strict=True
        ):
            if name not in SPECTRAL:
                assert (a, error) == (b, other) or np.isnan([a, b]).all(), (graph, name)
            elif not np.isnan([a, b]).all():
                # both are within their bounds of the truth; a root amplifies the error of what is exactly 0 or 1:
                # a matching has σ1 = 1 within 16 units of the last place, and 2 √(σ1 − 1) within 1.19e-7
                assert abs(a - b) <= error + other + 1e-15 * max(1, abs(a)), (graph, name)
                assert error <= 1.2e-7, (graph, name)


@given(layers(most=4))
@example([tg.BipartiteGraph.from_mask(np.eye(2))])
@settings(max_examples=60)
def test_many_graphs_at_once_and_each_alone(graphs):
    _same(graphs)


@given(st.integers(0, 2**32), st.sampled_from([(40, 6), (6, 40), (1, 9), (9, 1), (25, 24), (30, 26)]))
@settings(max_examples=25)
def test_masks_of_layers_at_once_and_each_alone(seed, shape):
    rng = np.random.default_rng(seed)
    masks = rng.random((5, *shape)) < rng.choice([0.02, 0.1, 0.3, 0.6, 1.0], size=(5, 1, 1))
    masks[0, rng.random(shape[0]) < 0.3] = False
    masks[1, :, rng.random(shape[1]) < 0.3] = False
    _same([tg.BipartiteGraph.from_mask(mask) for mask in masks])


def test_regular_blocks_at_once_and_each_alone():
    rng = np.random.default_rng(0)
    small = [rng.random((4, 3)) < 0.5 for _ in range(20)]
    grown = [np.kron(mask, np.ones(shape)) for mask in small for shape in ((1, 1), (3, 1), (1, 2), (2, 2))]
    _same([tg.BipartiteGraph.from_mask(mask) for mask in grown])
    blocks = tg.measure([tg.BipartiteGraph.from_mask(mask) for mask in grown[3::4]], ["block_rows", "block_columns"])
    assert (blocks["block_rows"] % 2 == 0).all()
    assert (blocks["block_columns"] % 2 == 0).all()


def test_numbers_beyond_the_floats_are_exact():
    """Sums of products of degrees above 2⁵³, where a correlation of floats is a difference of equal numbers."""
    n = 300_000
    mask = np.ones((n, 40), dtype=bool)
    mask[:5, 0] = False
    mask[7, 1] = False
    graph = tg.BipartiteGraph.from_mask(mask)
    left, right = graph.left_degrees.tolist(), graph.right_degrees.tolist()
    sums = [sum(d**p for d in left) for p in (2, 3)], [sum(d**p for d in right) for p in (2, 3)]
    mixed = sum(int(total) * d for total, d in zip(mask @ np.array(right), left, strict=True))
    edges = sum(left)
    spread = 2 * edges * (sums[0][1] + sums[1][1]) - (sums[0][0] + sums[1][0]) ** 2
    expected = (4 * edges * mixed - (sums[0][0] + sums[1][0]) ** 2) / spread
    assert get_metric("degree_assortativity").compute(graph).value == expected
    variance = 40 * sums[1][0] - sum(right) ** 2
    assert get_metric("right_degree_std").compute(graph).value == variance**0.5 / 40


def test_the_first_reason_stays():
    values = Values.exact(np.arange(3.0)).undefined(np.array([False, True, True]), "first")
    later = values.undefined(np.array([True, True, False]), "second")
    assert later.reasons == {0: "second", 1: "first", 2: "first"}
    assert np.isnan(later.value).all()
    other = Values.exact(np.ones(3)).undefined(np.array([True, True, False]), "other")
    assert Values.exact(np.ones(3)).because_of(other, later).reasons == {0: "other", 1: "other", 2: "first"}


def test_a_metric_of_somebody_else_may_be_stacked(monkeypatch):
    edges = stacked(lambda stack: Values.exact(stack.n_edges))
    graphs = [tg.construct("random_edge", 6, 5, density=0.5, seed=seed) for seed in range(3)]
    assert edges.many(GraphStack(graphs)).value.tolist() == [edges(graph).value for graph in graphs]


@pytest.mark.parametrize("name", FAST)
def test_every_fast_metric_is_stacked(name):
    assert isinstance(get_metric(name).compute, stacked)
