"""Masks made for any model: every layer, exact totals, and back on the model without loss."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError, UnknownNameError
from topograph.masks import allocate, maskable_layers


@pytest.fixture
def torch():
    module = pytest.importorskip("torch", reason="PyTorch is not installed")
    module.manual_seed(0)
    return module


def zoo(torch):
    """One of each kind of layer, as far as it can hold a mask."""
    nn = torch.nn

    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.w1 = nn.Parameter(torch.randn(4, 6, 10))

    return nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 8, (3, 5)),
            "grouped": nn.Conv2d(8, 12, 3, groups=4),
            "depthwise": nn.Conv1d(8, 16, 5, groups=8),
            "transposed": nn.ConvTranspose2d(8, 6, 3, groups=2),
            "norm": nn.BatchNorm2d(8),
            "lstm": nn.LSTM(5, 7, bidirectional=True),
            "gru": nn.GRUCell(5, 7),
            "packed": nn.MultiheadAttention(8, 2),
            "separate": nn.MultiheadAttention(8, 2, kdim=6, vdim=4),
            "embedding": nn.Embedding(11, 8),
            "experts": Experts(),
            "head": nn.Linear(8, 11),
        }
    )


@pytest.mark.parametrize("allocation", ["uniform", "er", "erk", "balanced", "degree"])
def test_every_kind_of_layer_gets_a_mask_and_the_total_is_exact(torch, allocation):
    model = zoo(torch)
    masks = tg.MaskSet.build(model, "random_regular", density=0.2, allocation=allocation, seed=1)
    read = tg.load(model)
    assert list(masks) == list(read)
    assert [graph.shape for graph in masks.values()] == [graph.shape for graph in read.values()]
    room = sum(graph.n_edges for graph in read.values())  # dense weights, so every weight is an edge
    assert sum(graph.n_edges for graph in masks.values()) == round(0.2 * room)
    assert min(graph.n_edges for graph in masks.values()) > 0
    masks.apply_to(model)
    assert dict(tg.load(model)) == dict(masks)


def test_erk_counts_the_sides_of_the_tensor(torch):
    model = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3, groups=2), torch.nn.Linear(64, 10), torch.nn.Conv1d(8, 8, 5))
    layers, _ = maskable_layers(model)
    counts = allocate(layers, edges=1000, allocation="erk")
    sides = np.array([sum(parameter.shape) for parameter in model.parameters() if parameter.ndim > 1])
    np.testing.assert_allclose(list(counts.values()), 1000 * sides / sides.sum(), atol=1)


@pytest.mark.parametrize("transposed", [None, False, True])
def test_experts_are_layers_of_their_own(torch, transposed):
    class TinyExperts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden_size = 6
            up, down = ((3, 6, 10), (3, 10, 6)) if transposed else ((3, 10, 6), (3, 6, 10))
            self.gate_up_proj = torch.nn.Parameter(torch.randn(up))
            self.down_proj = torch.nn.Parameter(torch.randn(down))
            self.gate_up_proj_bias = torch.nn.Parameter(torch.zeros(3, 10))
            if transposed is not None:
                self.is_transposed = transposed

    model = torch.nn.ModuleDict({"experts": TinyExperts(), "head": torch.nn.Linear(6, 4)})
    masks = tg.MaskSet.build(model, "random_regular", edges=100, allocation="er", seed=0)
    assert {name: graph.shape for name, graph in masks.items()} == {
        "experts.gate_up_proj": (18, 30),
        "experts.down_proj": (30, 18),
        "head.weight": (6, 4),
    }
    assert [graph.n_edges for graph in masks.values()] == [45, 45, 10]  # 3 · (6 + 10) twice, and 6 + 4, of 106
    masks.apply_to(model)
    assert dict(tg.load(model)) == dict(masks)
    edges = masks["experts.down_proj"].edges()
    assert (edges[:, 0] // 10 == edges[:, 1] // 6).all()  # none between two experts
    kept = np.asarray(model["experts"].down_proj.detach()) != 0
    stored = kept if transposed else kept.transpose(0, 2, 1)
    assert stored.sum(axis=(1, 2)).tolist() == [15, 15, 15]
    assert masks["experts.down_proj"].to_mask()[:10, :6].tolist() == stored[0].tolist()


@pytest.mark.parametrize("construction", ["erdos_renyi", "biregular_random", "fibonacci_rotating", "sobol"])
def test_other_constructions_can_do_it_too(torch, construction):
    model = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Linear(30, 20))
    first = tg.MaskSet.build(model, construction, edges=200, seed=3)
    again = tg.MaskSet.build(model, construction, edges=200, seed=3)
    assert sum(graph.n_edges for graph in first.values()) == 200
    assert dict(first) == dict(again)


def test_sparsity_is_one_minus_density(torch):
    model = torch.nn.Linear(30, 20)
    sparse = tg.MaskSet.build(model, "erdos_renyi", sparsity=0.9, seed=5)
    assert dict(sparse) == dict(tg.MaskSet.build(model, "erdos_renyi", density=0.1, seed=5))
    assert sparse["weight"].n_edges == 60


def test_densities_for_each_layer(torch):
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 10))
    for densities in ([0.5, 0.1], {"0*": 0.5, "*": 0.1}):
        masks = tg.MaskSet.build(model, "random_regular", densities=densities)
        assert [graph.n_edges for graph in masks.values()] == [300, 20]
    assert sum(g.n_edges for g in tg.MaskSet.build(model, "random_edge", densities=0.5, seed=1).values()) in range(
        300, 500
    )
    dense = tg.MaskSet.build(model, {"0*": "random_regular", "1*": "dense"}, densities={"0*": 0.5, "1*": 1.0})
    assert [graph.n_edges for graph in dense.values()] == [300, 200]
    with pytest.raises(UnknownNameError, match=r"layer in densities 'fc\*'"):
        tg.MaskSet.build(model, "random_regular", densities={"fc*": 0.5, "*": 0.1})
    with pytest.raises(InvalidParameterError, match=r"says nothing of the layer 1\.weight"):
        tg.MaskSet.build(model, "random_regular", densities={"0*": 0.5})
    with pytest.raises(InvalidParameterError, match=r"3 numbers, but there are 2 layers: 0\.weight, 1\.weight"):
        tg.MaskSet.build(model, "random_regular", densities=[0.1, 0.2, 0.3])


def test_layers_kept_dense_count_and_those_left_out_do_not(torch):
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 20), torch.nn.LSTM(20, 5))
    masks = tg.MaskSet.build(model, "random_regular", edges=1300, keep_dense=("first", "last"))
    counts = {name: graph.n_edges for name, graph in masks.items()}
    assert counts["0.weight"] == 600
    assert sum(counts.values()) == 1300
    assert all(counts[f"2.weight_hh_l0:{gate}"] == 25 for gate in ("input", "forget", "cell", "output"))
    assert "2.weight_ih_l0:input" in masks
    left = tg.MaskSet.build(model, "random_regular", edges=40, exclude="2.*")
    assert list(left) == ["0.weight", "1.weight"]
    assert left.left_out["2.weight_ih_l0:cell"] == "matches exclude='2.*'"
    with pytest.raises(InvalidParameterError, match=r"edges=500, but .* 0\.weight kept dense need 600"):
        tg.MaskSet.build(model, "random_regular", edges=500, keep_dense="first")


def test_a_tied_weight_has_one_mask(torch):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.Embedding(50, 8)
            self.decoder = torch.nn.Linear(8, 50, bias=False)
            self.again = torch.nn.Linear(8, 50, bias=False)
            self.decoder.weight = self.encoder.weight
            self.again.weight = self.encoder.weight

    for include in (None, "*", "again*"):
        model = Tied()
        masks = tg.MaskSet.build(model, "random_regular", density=0.25, include=include)
        assert len(masks) == 1
        (graph,) = masks.values()
        assert graph.n_edges == 100
        masks.apply_to(model)
        assert torch.equal(model.encoder.weight, model.decoder.weight)
        assert int((model.again.weight != 0).sum()) == 100
        assert len(tg.load(model)) == 1  # and the model that is masked is still read as one layer


def test_a_callable_shares_the_edges(torch):
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 10))
    masks = tg.MaskSet.build(model, "erdos_renyi", edges=200, allocation=lambda layer: layer.n_right)
    assert [graph.n_edges for graph in masks.values()] == [133, 67]
    with pytest.raises(InvalidParameterError, match=r"the weight that allocation gives 0\.weight"):
        tg.MaskSet.build(model, "erdos_renyi", edges=200, allocation=lambda layer: 0)


def test_files_and_masks_are_models_too(torch, tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, groups=1), torch.nn.LSTM(8, 6))
    live = tg.MaskSet.build(model, "biregular_random", density=0.3, seed=2)
    torch.save(model.state_dict(), tmp_path / "m.pt")
    assert dict(tg.MaskSet.build(tmp_path / "m.pt", "biregular_random", density=0.3, seed=2)) == dict(live)
    assert dict(tg.MaskSet.build(live, "biregular_random", density=0.3, seed=2)) == dict(live)
    live.save(tmp_path / "masks.npz")
    again = tg.load(tmp_path / "masks.npz")
    assert dict(again) == dict(live)
    assert again.read_as == live.read_as
    assert again.left_out == live.left_out
    assert dict(tg.load(live.save(tmp_path / "masks.safetensors"))) == dict(live)


def test_what_a_construction_cannot_do_is_said_by_layer(torch):
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Conv2d(4, 6, 3, groups=2))
    with pytest.raises(InvalidParameterError, match=r"layer 0\.weight: random_edge has a random number of edges"):
        tg.MaskSet.build(model, "random_edge", density=0.1)
    with pytest.raises(InvalidParameterError, match=r"layer 0\.weight \(30 × 20\): .*butterfly"):
        tg.MaskSet.build(model, "butterfly", density=0.1)
    with pytest.raises(UnknownNameError, match="random_regular"):
        tg.MaskSet.build(model, "random_reglar", density=0.1)


def test_what_cannot_be_is_refused(torch):
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 10))
    with pytest.raises(InvalidParameterError, match=r"density=0.001 is 1 of 800 edges, but the 2 layers can have 2"):
        tg.MaskSet.build(model, "random_regular", density=0.001)
    with pytest.raises(InvalidParameterError, match="edges=801, but the 2 layers can have 2 to 800"):
        tg.MaskSet.build(model, "random_regular", edges=801)
    with pytest.raises(InvalidParameterError, match="needs one of density="):
        tg.MaskSet.build(model, "random_regular")
    with pytest.raises(InvalidParameterError, match="give one of density, sparsity, edges and densities"):
        tg.MaskSet.build(model, "random_regular", density=0.5, sparsity=0.5)
    with pytest.raises(InvalidParameterError, match="sparsity must be"):
        tg.MaskSet.build(model, "random_regular", sparsity=1.0)
    with pytest.raises(InvalidParameterError, match="allocation must be one of"):
        tg.MaskSet.build(model, "random_regular", density=0.5, allocation="global")
    with pytest.raises(UnknownNameError, match="layer in keep_dense 'lst'; did you mean 'last'"):
        tg.MaskSet.build(model, "random_regular", density=0.5, keep_dense="lst")
    with pytest.raises(InvalidMaskError, match="no mask among"):
        tg.MaskSet.build(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.BatchNorm1d(3)), "random_regular", density=0.5)
    with pytest.raises(InvalidMaskError, match="is empty"):
        tg.MaskSet.build(torch.nn.Sequential(torch.nn.ReLU()), "random_regular", density=0.5)


def test_every_kind_of_keras_layer_gets_a_mask():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3)(image)
    x = layers.Conv2D(8, 3, groups=2)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.SeparableConv2D(6, 3, padding="same")(x)
    x = layers.Conv2DTranspose(5, 3)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Reshape((64, 5))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.GRU(4, return_sequences=True)(x)
    x = layers.EinsumDense("sij,ijk->sik", output_shape=(64, 3))(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    masks = tg.MaskSet.build(model, "random_regular", density=0.3, allocation="erk", seed=1)
    read = tg.load(model)
    shapes = {name: graph.shape for name, graph in read.items()}
    assert {name: graph.shape for name, graph in masks.items()} == shapes
    room = sum(graph.n_edges for graph in read.values())
    assert sum(graph.n_edges for graph in masks.values()) == round(0.3 * room)
    masks.apply_to(model)
    assert dict(tg.load(model)) == dict(masks)
