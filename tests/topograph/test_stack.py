"""Graphs of one shape as arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import topograph as tg
from topograph.caching import cache_of
from topograph.stack import GraphStack

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))


@st.composite
def layers(draw, shapes=SHAPES, most=6):
    """Graphs of one shape: empty, complete, with isolated nodes, in pieces."""
    n, m = draw(shapes)
    count = draw(st.integers(1, most))
    bits = st.lists(st.booleans(), min_size=n * m, max_size=n * m)
    masks = st.one_of(bits, st.just([True] * (n * m)), st.just([False] * (n * m)))
    return [tg.BipartiteGraph.from_mask(np.array(draw(masks)).reshape(n, m)) for _ in range(count)]


@given(layers())
def test_a_stack_is_a_block_diagonal_pattern(graphs):
    stack = GraphStack(graphs)
    n, m = graphs[0].shape
    for place, graph in enumerate(graphs):
        assert stack.left_degrees[place].tolist() == graph.left_degrees.tolist()
        assert stack.right_degrees[place].tolist() == graph.right_degrees.tolist()
        pointers = stack.indptr[place * n : (place + 1) * n + 1]
        assert (stack.indices[pointers[0] : pointers[-1]] - place * m).tolist() == graph.indices.tolist()
        mask = graph.to_mask(float) if n >= m else graph.to_mask(float).T
        assert stack.masks[place].tolist() == mask.tolist()
        alive = np.concatenate([graph.left_degrees, graph.right_degrees]) > 0
        pieces = len({*graph.component_labels[alive].tolist()})
        assert bool(stack.are_one_component[place]) == (pieces == 1)


@given(st.lists(layers(), max_size=3))
def test_every_graph_is_in_one_stack_of_its_shape(several):
    graphs = [graph for some in several for graph in some]
    stacks = list(GraphStack.of_equal_shape(graphs))
    assert sorted(place for places, _ in stacks for place in places) == list(range(len(graphs)))
    for places, stack in stacks:
        assert [graphs[place] for place in places] == list(stack.graphs)


def test_one_graph_is_not_copied():
    graph = tg.construct("random_edge", 40, 30, density=0.2)
    stack = GraphStack([graph])
    assert stack.indices is graph.indices
    assert stack.indptr is graph.indptr
    assert np.shares_memory(stack.left_degrees, graph.left_degrees)
    assert cache_of(stack) is cache_of(graph)
