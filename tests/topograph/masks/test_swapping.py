"""Sparse layers in the place of dense ones: the model computes the same, and its masks are read again."""

import copy

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, TopologyMismatchError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
TOPOLOGY = tg.Topology.build("random_regular", [20, 15, 5], degrees=2, seed=0)


def perceptron():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(20, 15), torch.nn.ReLU(), torch.nn.Linear(15, 5, bias=False))


def test_the_swapped_model_computes_what_the_masked_one_does():
    masked, sparse = perceptron(), perceptron()
    TOPOLOGY.apply_to(masked)
    assert TOPOLOGY.apply_to(sparse, sparse=True) == ("0.weight", "2.weight")
    assert [type(layer).__name__ for layer in sparse] == ["SparseLinear", "ReLU", "SparseLinear"]
    assert sparse[2].bias is None
    x = torch.randn(6, 20)
    torch.testing.assert_close(sparse(x), masked(x))
    assert sum(p.numel() for p in sparse.parameters()) == TOPOLOGY.n_edges + 15


def test_masks_are_read_from_a_live_sparse_model_and_from_its_file(tmp_path):
    model = perceptron()
    TOPOLOGY.apply_to(model, sparse=True)
    with torch.no_grad():
        model[0].values[3] = 0  # an edge stays one
    assert tg.load(model).to_topology() == TOPOLOGY
    assert list(tg.load(model)) == ["0.weight", "2.weight"]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert tg.load(tmp_path / "model.pt").to_topology() == TOPOLOGY
    strongest = tg.load(model, density=0.05)["0.weight"]
    dense = np.abs(model[0].weight.detach().numpy().T)
    chosen = strongest.to_mask()
    assert dense[chosen].min() >= dense[~chosen].max()


def test_a_damaged_pattern_is_refused(tmp_path):
    model = perceptron()
    TOPOLOGY.apply_to(model, sparse=True)
    state = model.state_dict()
    state["0.indices"] = state["0.indices"] + 100
    torch.save(state, tmp_path / "model.pt")
    masks = tg.load(tmp_path / "model.pt")
    assert list(masks) == ["2.weight"]
    assert "its pattern is not one in CSR" in masks.left_out["0.weight"]


def test_masks_of_a_masked_model_become_sparse_and_a_sparse_one_is_rewired():
    model = perceptron()
    TOPOLOGY.apply_to(model)
    expected = model(torch.ones(2, 20))
    tg.load(model).apply_to(model, sparse=True)
    torch.testing.assert_close(model(torch.ones(2, 20)), expected)
    other = tg.Topology.build("random_regular", [20, 15, 5], degrees=3, seed=1)
    for sparse in (True, False):
        layer = model[0]
        (other if sparse else TOPOLOGY).apply_to(model, sparse=sparse)
        assert model[0] is layer
        assert tg.load(model).to_topology() == (other if sparse else TOPOLOGY)


def test_a_layer_in_two_places_is_replaced_in_both():
    shared = torch.nn.Linear(8, 8)
    model = torch.nn.Sequential(shared, torch.nn.ReLU(), shared)
    graph = tg.construct("random_regular", 8, 8, degree=2, seed=0)
    tg.MaskSet({"0": graph}).apply_to(model, sparse=True)
    assert model[0] is model[2]
    assert model[0].graph == graph


def test_layers_that_cannot_be_sparse_are_named_and_nothing_is_changed():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(6, 6), torch.nn.Linear(6, 6)
            self.second.weight = self.first.weight

    graph = tg.construct("random_regular", 6, 6, degree=2, seed=0)
    cases = [
        (torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Conv1d(6, 6, 1)), ["0", "1"], "1.weight.*is a Conv1d"),
        (torch.nn.Linear(6, 6), ["weight"], r"model itself; .* topograph\.torch\.SparseLinear\.from_linear"),
        (Tied(), ["first"], "another module uses the same weight"),
        (torch.nn.MultiheadAttention(6, 1), ["out_proj"], "NonDynamicallyQuantizableLinear"),
    ]
    for model, names, words in cases:
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(InvalidParameterError, match=words):
            tg.MaskSet(dict.fromkeys(names, graph)).apply_to(model, sparse=True)
        assert before.keys() == model.state_dict().keys()
        assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())
    with pytest.raises(InvalidParameterError, match=r"sparse=True needs a torch\.nn\.Module, but got dict"):
        tg.MaskSet({"a": graph}).apply_to({"a": np.ones((6, 6))}, sparse=True)
    with pytest.raises(InvalidParameterError, match="sparse must be true or false"):
        TOPOLOGY.apply_to(perceptron(), sparse="yes")
    with pytest.raises(TopologyMismatchError, match=r"0\.weight takes a graph of 20 × 15"):
        tg.MaskSet({"0": graph}).apply_to(perceptron(), sparse=True)


def test_an_encoder_layer_works_with_sparse_layers_inside():
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    masks = {name: tg.construct("erdos_renyi", n, m, density=0.3, seed=0) for name, n, m in
             (("linear1", 16, 32), ("linear2", 32, 16))}  # fmt: skip
    twin = copy.deepcopy(layer)
    tg.MaskSet(masks).apply_to(layer, sparse=True)
    tg.MaskSet(masks).apply_to(twin)
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(layer(x), twin(x))
    with torch.no_grad():  # PyTorch's fast path asks for the weights themselves
        torch.testing.assert_close(layer(x), twin(x), rtol=1e-4, atol=1e-5)
