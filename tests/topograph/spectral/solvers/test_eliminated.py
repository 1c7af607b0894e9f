"""λ2 over the outputs only, where all inputs have one degree."""

import numpy as np
import pytest

import topograph as tg
from topograph.spectral.pattern import Pattern
from topograph.spectral.solvers.eliminated import EliminatedConnectivity


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "m", "k"), [(150, 70, 9), (90, 90, 6), (70, 150, 12), (200, 40, 3)])
def test_inputs_of_one_degree_are_eliminated(n, m, k, weighted):
    """The interval is that of L itself, whatever the outputs' degrees."""
    for seed in range(4):
        mask = tg.construct("random_regular", n, m, degree=k, seed=seed).to_mask(float)
        rng = np.random.default_rng(seed)
        if weighted:
            mask *= rng.lognormal(size=mask.shape)
            mask *= 7.0 / mask.sum(axis=1, keepdims=True)
        graph = tg.BipartiteGraph.from_mask(mask)
        if not graph.is_connected:
            continue
        values = mask[mask > 0] if weighted else None
        pattern = Pattern.of(graph, values)
        pattern.__dict__["left"] = np.full(n, pattern.left[0])  # the sums differ by rounding
        laplacian = np.block([[np.diag(mask.sum(1)), -mask], [-mask.T, np.diag(mask.sum(0))]])
        true = np.linalg.eigvalsh(laplacian)[1]
        certified = EliminatedConnectivity(pattern, 1e-8).run(500)
        assert certified is not None
        assert certified.value == pytest.approx(true, rel=1e-8)
        assert certified.low <= true * (1 + 1e-12)
        assert true <= certified.high * (1 + 1e-12)
        assert certified.high - certified.low <= 1.1e-8 * true
