"""CH3-L3 against brute force over all paths."""

import numpy as np
import pytest

import topograph as tg
from trainers.rewiring.link_prediction import ch3_l3


def brute_force(mask):
    """By the definition: the community of a pair is whatever lies in the middle of a path of three edges."""
    n, m = mask.shape
    scores = np.zeros((n, m))
    for u in range(n):
        for v in range(m):
            if mask[u, v]:
                continue
            paths = [
                (a, b) for a in range(m) for b in range(n) if mask[u, a] and mask[b, a] and mask[b, v]
            ]  # fmt: skip
            outputs, inputs = {a for a, _ in paths} | {v}, {b for _, b in paths} | {u}
            for a, b in paths:
                outside_a = sum(mask[i, a] and i not in inputs for i in range(n))
                outside_b = sum(mask[b, j] and j not in outputs for j in range(m))
                scores[u, v] += 1 / np.sqrt((1 + outside_a) * (1 + outside_b))
    return scores


@pytest.mark.parametrize("seed", range(6))
def test_scores_of_absent_edges_are_those_of_the_definition(seed):
    mask = np.random.default_rng(seed).random((6, 7)) < 0.35
    scores = ch3_l3(tg.BipartiteGraph.from_mask(mask))
    assert np.allclose(np.where(mask, 0, scores), brute_force(mask), rtol=1e-6)
