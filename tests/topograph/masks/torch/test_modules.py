"""PyTorch: state dicts, checkpoints, pruned and parametrized modules, sparse tensors, gates and heads."""

import numpy as np
import pytest

import topograph as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn
prune = pytest.importorskip("torch.nn.utils.prune")
parametrize = pytest.importorskip("torch.nn.utils.parametrize")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def graph_of(weight):
    return tg.BipartiteGraph.from_mask(weight.detach().numpy().T)


@pytest.mark.parametrize("kind", ["live", "zip", "old", "checkpoint"])
def test_pruned(tmp_path, kind):
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    prune.random_unstructured(model[0], "weight", 0.5)
    prune.l1_unstructured(model[2], "weight", 0.25)
    path, prefix = tmp_path / "m.pth", ""
    if kind == "live":
        masks = tg.load(model)
    else:
        state = model.state_dict()
        if kind == "checkpoint":
            optimizer = torch.optim.Adam(model.parameters())
            model(torch.ones(1, 6)).sum().backward()
            optimizer.step()
            state, prefix = {"model": state, "optimizer": optimizer.state_dict(), "epoch": 7}, "model."
        torch.save(state, path, _use_new_zipfile_serialization=kind != "old")
        masks = tg.load(path)
    assert list(masks) == [f"{prefix}0.weight", f"{prefix}2.weight"]
    expected = [graph_of(model[0].weight_mask), graph_of(model[2].weight_mask)]
    assert list(masks.values()) == expected
    assert masks.read_as[f"{prefix}0.weight"].endswith(f"edges of the mask {prefix}0.weight_mask")
    if kind == "checkpoint":
        assert masks.left_out["optimizer.state.0.exp_avg"] == "is the optimizer's state"
        assert masks.left_out["epoch"] == "is not a tensor but int"
    dense = tg.load(model if kind == "live" else path, density=0.25)
    assert dense[f"{prefix}0.weight"].n_edges == 6  # by the magnitude of the masked weights
    assert not (dense[f"{prefix}0.weight"].to_mask() & ~expected[0].to_mask()).any()


class Halves(nn.Module):
    """A mask of somebody's own, as a parametrization."""

    def __init__(self, shape):
        super().__init__()
        self.register_buffer("mask", torch.arange(shape.numel()).reshape(shape) % 2)

    def forward(self, weight):
        return weight * self.mask


def test_parametrized(tmp_path):
    model = nn.Sequential(nn.Linear(6, 5))
    parametrize.register_parametrization(model[0], "weight", Halves(model[0].weight.shape))
    torch.save(model.state_dict(), tmp_path / "m.pt")
    for source in (model, tmp_path / "m.pt"):
        assert tg.load(source)["0.weight"] == graph_of(model[0].weight)


def test_weight_norm(tmp_path):
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)))
    torch.save(model.state_dict(), tmp_path / "m.pt")
    for source in (model, tmp_path / "m.pt"):
        assert tg.load(source)["0.weight"].shape == (6, 5)
    assert "weight-normalised" in tg.load(tmp_path / "m.pt").left_out["0.parametrizations.weight.original0"]


@pytest.mark.parametrize("name", ["mask", "weight_mask", "mask_weight"])
def test_buffers_called_mask(name):
    class Masked(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.register_buffer(name, torch.rand(3, 4) < 0.5)

    layer = Masked()
    masks = tg.load(nn.Sequential(layer))
    assert list(masks) == ["0.weight"]
    assert masks["0.weight"] == graph_of(getattr(layer, name))


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr"])
def test_sparse_tensors(tmp_path, layout):
    dense = torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 3]])
    convert = {"coo": dense.to_sparse, "csr": dense.to_sparse_csr, "csc": dense.to_sparse_csc}
    sparse = dense.to_sparse_bsr((1, 2)) if layout == "bsr" else convert[layout]()
    torch.save({"w": sparse}, tmp_path / "m.pt")
    for source in (tmp_path / "m.pt", {"w": sparse}):
        assert tg.load(source)["w"] == graph_of(dense)
    assert tg.load({"w": sparse}, threshold=1.5)["w"].n_edges == 2


def test_bare_tensor():
    assert tg.measure(torch.eye(3), ["n_edges"]).loc["graph", "n_edges"] == 3


def test_gates_and_heads(tmp_path):
    model = nn.ModuleDict(
        {
            "lstm": nn.LSTM(3, 2, bidirectional=True),
            "gru": nn.GRU(3, 2),
            "rnn": nn.RNN(3, 2),
            "cell": nn.LSTMCell(3, 2),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    live = tg.load(model)
    assert live["lstm.weight_hh_l0_reverse:forget"] == graph_of(model["lstm"].weight_hh_l0_reverse[2:4])
    assert live["gru.weight_ih_l0:new"] == graph_of(model["gru"].weight_ih_l0[4:6])
    assert live["rnn.weight_ih_l0"].shape == (3, 2)
    assert live["cell.weight_ih:cell"].shape == (3, 2)
    assert live["attention.in_proj_weight:value:head1"] == graph_of(model["attention"].in_proj_weight[10:12])
    torch.save(model.state_dict(), tmp_path / "m.pt")
    stored = tg.load(tmp_path / "m.pt")
    for name in ("lstm.weight_ih_l0:output", "gru.weight_hh_l0:reset", "rnn.weight_hh_l0"):
        assert stored[name] == live[name]
    assert stored["attention.in_proj_weight:key"].shape == (4, 4)  # a file does not say how many heads


def test_tensors_that_are_not_layers_are_left_out():
    model = nn.ModuleDict(
        {
            "table": nn.Embedding(5, 3),
            "pair": nn.Bilinear(2, 3, 4),
            "norm": nn.LayerNorm((2, 3)),
            "batch": nn.BatchNorm1d(3),
            "out": nn.Linear(3, 5, bias=False),
        }
    )
    model["out"].weight = model["table"].weight  # tied
    masks = tg.load(model, include=["table*"])
    assert masks["table.weight"].shape == (3, 5)
    masks = tg.load(nn.ModuleList([*model.values(), nn.Linear(2, 2)]))
    reasons = dict(masks.left_out)
    assert "embedding" in reasons["0.weight"]
    assert "bilinear" in reasons["1.weight"]
    assert "normalisation" in reasons["2.weight"]
    assert "1 dimension" in reasons["3.running_mean"]
    assert list(masks) == ["4.weight", "5.weight"]  # the table is left out, the layer that shares it is read
    assert "the same tensor as 0.weight" in masks.read_as["4.weight"]


def test_embedding_by_name(tmp_path):
    torch.save({"tok_embeddings.weight": torch.ones(5, 3), "fc.weight": torch.ones(2, 3)}, tmp_path / "m.pt")
    masks = tg.load(tmp_path / "m.pt")
    assert "looks like an embedding" in masks.left_out["tok_embeddings.weight"]
    assert "tok_embeddings.weight" in tg.load(tmp_path / "m.pt", include="*")


def test_names_from_the_wild(tmp_path):
    state = {
        "h.0.attn.bias": torch.ones(1, 1, 8, 8),
        "cls_token": torch.ones(1, 1, 6),
        "pos_embed": torch.ones(1, 5, 6),
        "patch_embed.proj.weight": torch.ones(6, 3, 2, 2),
        "relative_position_bias_table": torch.ones(9, 3),
        "mlp.experts.gate_up_proj": torch.ones(4, 6, 3),
        "mixer.conv1d.weight": torch.ones(6, 1, 4),
    }
    torch.save(state, tmp_path / "m.ckpt")
    masks = tg.load(tmp_path / "m.ckpt")
    assert list(masks) == ["patch_embed.proj.weight", "mixer.conv1d.weight"]
    assert "depthwise" in masks.read_as["mixer.conv1d.weight"]
    assert set(masks.left_out) == set(state) - set(masks)
    blocks = tg.load(tmp_path / "m.ckpt", geometry={"mixer.*": tg.masks.Geometry(groups=6)})["mixer.conv1d.weight"]
    assert (blocks.shape, blocks.n_components) == ((24, 6), 6)


def test_a_whole_module_gives_the_names_of_its_state_dict(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Conv2d(2, 3, 2)))
    prune.random_unstructured(model[0], "weight", 0.5)
    torch.save(model, tmp_path / "whole.pt")
    torch.save(model.state_dict(), tmp_path / "state.pt")
    whole, state = tg.load(tmp_path / "whole.pt"), tg.load(tmp_path / "state.pt")
    assert list(whole) == list(state) == ["0.weight", "1.0.weight"]
    assert all(whole[name] == state[name] for name in whole)


def test_meta_and_complex():
    state = {"m": torch.ones(2, 2, device="meta"), "c": torch.ones(2, 2, dtype=torch.complex64), "w": torch.ones(2, 2)}
    masks = tg.load(state)
    assert "meta" in masks.left_out["m"]
    assert "complex" in masks.left_out["c"]


def test_stream_of_a_large_dense_layer_is_not_skipped():
    table = tg.measure(nn.Linear(50, 40), ["density"])
    assert table.loc["weight", "density"] == 1.0


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d", "ConvTranspose2d"])
@pytest.mark.parametrize("unfold", ["kernel", "channel"])
def test_grouped(name, unfold):
    layer = getattr(nn, name)(4, 6, 3, groups=2, bias=False)
    graph = tg.load(layer, unfold=unfold)["weight"]
    taps = 1 if unfold == "channel" else 3 if name == "Conv1d" else 9
    assert graph.shape == (4 * taps, 6)
    assert graph.n_components == 2
    assert graph.n_edges == 2 * (2 * taps) * 3
    assert np.array_equal(graph.to_mask()[: 2 * taps, 3:].any(), False)
