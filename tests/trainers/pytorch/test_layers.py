"""The three kinds of layer compute the same for a stack of networks, each network's own edges and nothing else."""

import numpy as np
import pytest

import topograph as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def test_masked_edge_and_csr_layers_agree():
    from trainers.pytorch.layers import CsrLayer, MaskedLayer, SparseLayer

    graphs = [tg.construct("erdos_renyi", 30, 20, density=0.2, seed=seed) for seed in range(3)]
    generator = np.random.default_rng(0)
    values = [generator.standard_normal(graph.n_edges) for graph in graphs]
    x = torch.from_numpy(generator.standard_normal((3, 40, 30)))
    bias, delta = torch.from_numpy(generator.standard_normal((3, 20))), torch.from_numpy(np.ones((3, 40, 20)))
    for number, graph in enumerate(graphs):
        dense = np.zeros(graph.shape)
        dense[tuple(graph.edges().T)] = values[number]
        for kind in (MaskedLayer, SparseLayer, CsrLayer):
            layer = kind(graphs, values, torch.device("cpu"))
            expected = x[number].numpy() @ dense + bias[number].numpy()
            np.testing.assert_allclose(layer.forward(x, bias)[number], expected, rtol=1e-10)
            assert layer.backward(x, delta, False) is None
            back = layer.backward(x, delta, True)
            np.testing.assert_allclose(back[number], delta[number].numpy() @ dense.T, rtol=1e-10, atol=1e-12)
            gradient = (x[number].numpy().T @ delta[number].numpy())[tuple(graph.edges().T)]
            np.testing.assert_allclose(layer.of_each(layer.gradient)[number], gradient, rtol=1e-9)
            kept = torch.zeros_like(layer.weights)
            layer.keep(kept, layer.weights, np.arange(3) == number)
            np.testing.assert_array_equal(layer.of_each(kept)[number], values[number])
            assert all(not part.any() for k, part in enumerate(layer.of_each(kept)) if k != number)
