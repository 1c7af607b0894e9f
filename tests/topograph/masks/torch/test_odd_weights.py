"""Weights that have no values, or none that can be changed: what PyTorch calls lazy, nested, sparse, quantized."""

import warnings
from functools import partial

import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError, UnknownNameError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn


def network():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))


def quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.Linear(6, 5), nn.LSTM(5, 4))
        model[0].weight.data[:, ::2] = 0
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM})


def of_torchscript():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(network(), torch.randn(1, 6))


def with_a_sparse_weight():
    model = network()
    model[0].weight = nn.Parameter(model[0].weight.data.to_sparse())
    return model


def of_inference():
    with torch.inference_mode():
        return network()


@pytest.fixture
def topology():
    return tg.Topology.build("erdos_renyi", [6, 5, 4], density=0.5, seed=0)


def test_a_lazy_layer_is_left_out_until_the_model_was_run(tmp_path):
    model = nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 4))
    torch.save(model.state_dict(), tmp_path / "lazy.pt")
    for source in (model, model.state_dict()):
        masks = tg.load(source)
        assert list(masks) == ["1.weight"]
        assert "no shape yet" in masks.left_out["0.weight"]
    with pytest.raises(UnknownNameError, match=r"1\.weight"):
        tg.MaskSet({"0": tg.construct("dense", 6, 5)}).apply_to(model)
    masks.apply_to(model)
    model(torch.randn(2, 6))
    assert list(tg.load(model)) == ["0.weight", "1.weight"]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor_is_left_out():
    rows = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(3, 3)])
    assert "nested tensor" in tg.load({"rows": rows, "weight": torch.eye(3)}).left_out["rows"]


def test_weights_of_quantized_modules_are_read_or_left_out_by_name():
    model = quantized()
    masks = tg.load(model)
    assert masks["0.weight"] == tg.BipartiteGraph.from_mask((model[0].weight().dequantize() != 0).T)
    assert 0 < masks["0.weight"].n_edges <= 15
    assert any(name.startswith("1.") and "packed" in reason for name, reason in masks.left_out.items())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (of_torchscript, "mask the model that it was made from"),
        (with_a_sparse_weight, r"make it dense with to_dense\(\)"),
        (of_inference, "inference_mode"),
    ],
)
def test_a_weight_that_cannot_hold_a_mask_says_so_before_any_is_changed(make, words, topology):
    model = make()
    with pytest.raises(InvalidParameterError, match=words):
        topology.apply_to(model)
    assert not any(".mask" in name for name, _ in model.named_buffers())


def test_a_quantized_weight_takes_no_mask():
    with pytest.raises(InvalidParameterError, match="before it is quantized"):
        tg.MaskSet({"0": tg.construct("dense", 6, 5)}).apply_to(quantized())


def test_a_sparse_weight_does_not_become_a_sparse_layer(topology):
    with pytest.raises(InvalidParameterError, match=r"make it dense with to_dense\(\)"):
        topology.apply_to(with_a_sparse_weight(), sparse=True)


@pytest.mark.parametrize("model", [None, nn.Linear, torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1), {}])
def test_a_topology_goes_onto_models_only(model, topology):
    with pytest.raises(InvalidParameterError, match="masks go onto"):
        topology.apply_to(model)


def test_a_model_without_a_layer_says_why(topology):
    with pytest.raises(InvalidMaskError, match="embedding table"):
        topology.apply_to(nn.Embedding(6, 5))


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, partial(torch.compile, backend="eager")], ids=["parallel", "compiled"]
)
def test_names_of_a_wrapped_model_are_told_apart_with_the_way_to_rename_them(wrap):
    plain, wrapped = network(), wrap(network())
    prefix = next(iter(wrapped.state_dict())).removesuffix("0.weight")
    with pytest.raises(UnknownNameError, match=rf"name.removeprefix\('{prefix}'\)"):
        tg.load(wrapped).apply_to(plain)
    with pytest.raises(UnknownNameError, match=rf"'{prefix}' \+ name"):
        tg.MaskSet({"0": tg.construct("dense", 6, 5)}).apply_to(wrapped)
    masks = tg.load(wrapped)
    tg.MaskSet({name.removeprefix(prefix): graph for name, graph in masks.items()}).apply_to(plain)
    assert list(tg.load(plain)) == ["0.weight", "2.weight"]
