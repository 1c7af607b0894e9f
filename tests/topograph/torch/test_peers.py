"""What PyTorch itself has, for devices without our kernels, gives the same numbers; seen here on the processor."""

import numpy as np
import pytest

import topograph as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return tg.torch.SparseLinear(tg.construct("barabasi_albert", 67, 41, density=0.2, seed=0), dtype=torch.float64)


@pytest.mark.parametrize("number", [0, 1])
def test_every_way_gives_the_same_products(layer, number):
    from topograph.torch.peers import WAYS, find_places

    x, delta = torch.randn(40, 67, dtype=torch.float64), torch.randn(40, 41, dtype=torch.float64)
    weight, (rows, columns) = layer.weight.detach().T.numpy(), layer.graph.edges().T
    way, places = WAYS[number], find_places(layer.cuts, layer.indices, 41)
    np.testing.assert_allclose(way.multiply(x, layer.values.detach(), places), x.numpy() @ weight, rtol=1e-10)
    np.testing.assert_allclose(way.back(delta, layer.values.detach(), places), delta.numpy() @ weight.T, rtol=1e-9)
    expected = (x.numpy().T @ delta.numpy())[rows, columns]
    np.testing.assert_allclose(way.differentiate(x, delta, places), expected, rtol=1e-9)


def test_the_operators_of_other_devices_agree_with_the_kernels(layer):
    from topograph.torch import operators

    pattern = layer.starts, layer.inputs, layer.positions, layer.cuts, layer.indices
    x, delta = torch.randn(4, 10, 67, dtype=torch.float64), torch.randn(4, 10, 41, dtype=torch.float64)
    with torch.no_grad():
        expected = layer(x)
        made = operators._product_on_device(x, layer.values, layer.bias, *pattern, 41)
        torch.testing.assert_close(made, expected)
        for wanted in ((True, True), (True, False), (False, True)):
            here = operators._gradients_on_processor(delta, x, layer.values, *pattern, *wanted)
            there = operators._gradients_on_device(delta, x, layer.values, *pattern, *wanted)
            for first, second in zip(here, there, strict=True):
                torch.testing.assert_close(first, second)


def test_the_choice_is_the_faster_way_of_each_operation_and_made_once(layer, monkeypatch):
    from topograph.torch import peers

    monkeypatch.setattr(peers, "_chosen", {})
    dense, compressed = peers.WAYS
    slow, timed = {dense.multiply, dense.back, compressed.differentiate}, []

    def time(operation, *rest):
        timed.append(operation)
        return 2.0 if operation in slow else 1.0

    monkeypatch.setattr(peers, "_time", time)
    x, delta = torch.randn(40, 67, dtype=torch.float64), torch.randn(40, 41, dtype=torch.float64)
    places = peers.find_places(layer.cuts, layer.indices, 41)
    for _ in range(2):
        peers.multiply(x, layer.values.detach(), places)
        peers.back(delta, layer.values.detach(), places)
        peers.differentiate(x, delta, places)
    assert {case[0]: way for case, way in peers._chosen.items()} == {
        "multiply": compressed, "back": compressed, "differentiate": dense
    }  # fmt: skip
    assert len(timed) == 6


def test_a_way_that_a_device_does_not_offer_is_not_chosen(layer):
    from topograph.torch import peers

    def missing(*rest):
        raise NotImplementedError

    x, places = torch.randn(40, 67, dtype=torch.float64), peers.find_places(layer.cuts, layer.indices, 41)
    assert peers._time(missing, x, layer.values.detach(), places) == float("inf")
    assert 0 < peers._time(peers.WAYS[0].multiply, x, layer.values.detach(), places) < float("inf")


def test_places_are_made_once_per_pattern_and_again_for_another(layer):
    from topograph.torch import peers

    first = peers.find_places(layer.cuts, layer.indices, 41)
    assert peers.find_places(layer.cuts, layer.indices, 41) is first
    cuts, outputs = layer.cuts.clone(), layer.indices.clone()
    before = peers.find_places(cuts, outputs, 41)
    assert before is not first
    outputs[:] = outputs.flip(0)  # as when a state dict is loaded into the tensors that are there
    after = peers.find_places(cuts, outputs, 41)
    assert after is not before
    assert torch.equal(after.flat % 41, outputs.long())
