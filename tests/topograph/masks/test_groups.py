from __future__ import annotations

import numpy as np
import pytest

from topograph.graph import BipartiteGraph
from topograph.masks.groups import join_groups, split_groups


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_groups_are_taken_apart_and_put_together_again(groups):
    generator = np.random.default_rng(groups)
    blocks = [generator.random((24 // groups, 12 // groups)) < 0.4 for _ in range(groups)]
    mask = np.zeros((24, 12), dtype=bool)
    for number, block in enumerate(blocks):
        n, m = block.shape
        mask[number * n : (number + 1) * n, number * m : (number + 1) * m] = block
    graph = BipartiteGraph.from_mask(mask)
    pieces = split_groups(graph, groups)
    assert [piece.to_mask().tolist() for piece in pieces] == [block.tolist() for block in blocks]
    assert join_groups(pieces) == graph


def test_an_empty_group_stays_empty():
    mask = np.zeros((4, 4), dtype=bool)
    mask[:2, :2] = True
    first, second = split_groups(BipartiteGraph.from_mask(mask), 2)
    assert (first.n_edges, second.n_edges) == (4, 0)
    assert join_groups([first, second]) == BipartiteGraph.from_mask(mask)
