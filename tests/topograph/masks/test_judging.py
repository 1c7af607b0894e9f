"""Tensors that are not layers are left out, by their shapes and their siblings; each can be read by name."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.judging import is_weight_name, refuse_constants

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

WEIGHT = torch.randn(64, 32)
NOT_LAYERS = {
    "q.weight_scale_inv": torch.rand(2, 2),
    "q.weight_scale": torch.rand(64, 1),
    "rope.cos_cached": torch.rand(16, 8),
    "grn.gamma": torch.zeros(1, 1, 1, 12),
    "logit_scale": torch.ones(4, 1, 1),
    "ln.weight": torch.ones(28, 28),
    "final_layer_norm.weight": torch.ones(3, 4),
    "mixer.A_log": torch.rand(64, 16),
    "k_cache": torch.zeros(1, 4, 8, 8),
    "edge_index": torch.randint(0, 9, (2, 30)),
    "pos_encoder.pe": torch.rand(50, 1, 16),
    "vq.codebook": torch.rand(8, 4),
    "quantizer.codebook.weight": torch.rand(8, 4),
    "freqs": torch.rand(16, 8),
    "attn.causal": torch.ones(8, 8).tril(),
    "data_mean": torch.rand(1, 3, 1, 1),
    "tok.emb.weight": torch.rand(50, 16),
    "fc.lora_A": torch.rand(4, 32),
}


@pytest.mark.parametrize("name", NOT_LAYERS)
def test_left_out_with_a_reason_and_read_by_name(name):
    state = {"fc.weight": WEIGHT, name: NOT_LAYERS[name]}
    masks = tg.load(state)
    assert list(masks) == ["fc.weight"]
    assert masks.left_out[name]
    budget = tg.load(state, density=0.1, scope="global")
    assert budget["fc.weight"] == tg.load({"fc.weight": WEIGHT}, density=0.1)["fc.weight"]


def test_a_norm_is_known_by_a_bias_of_its_own_shape():
    state = {"fc.weight": WEIGHT, "post.weight": torch.ones(4, 6), "post.bias": torch.zeros(4, 6)}
    assert list(tg.load(state)) == ["fc.weight"]
    state = {"fc.weight": WEIGHT, "post.weight": torch.ones(4, 6), "post.running_mean": torch.zeros(6)}
    assert list(tg.load(state)) == ["fc.weight"]


def test_names_of_ones_own_are_read_where_nothing_is_named_as_a_weight():
    assert list(tg.load({"first": WEIGHT, "W2": WEIGHT.T})) == ["first", "W2"]


def test_a_constant_triangle_is_not_a_layer():
    masks = tg.load({"a": torch.ones(8, 8).tril(), "b": torch.randn(8, 8).tril()})
    assert list(masks) == ["b"]
    assert "causal mask" in masks.left_out["a"]
    for triangle in (np.tril(np.ones((5, 5))), np.triu(np.full((2, 5, 5), -1e9), 1)):
        with pytest.raises(InvalidMaskError, match="causal mask"):
            refuse_constants(triangle)
    assert refuse_constants(np.eye(5)).shape == (5, 5)


# ------------------------------------------------------------------ optimizers


def trained(make):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 4))
    optimizer = make(net.parameters())
    net(torch.randn(3, 6)).sum().backward()
    optimizer.step()
    return net, optimizer


OPTIMIZERS = {
    "Adam": torch.optim.Adam,
    "Adamax": torch.optim.Adamax,
    "RMSprop": lambda p: torch.optim.RMSprop(p, momentum=0.9),
    "Adagrad": torch.optim.Adagrad,
    "SGD": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "Adadelta": torch.optim.Adadelta,
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("key", ["optimizer_states", "opt_G", "anything", ""])
def test_moments_are_known_by_the_groups_of_parameters_beside_them(tmp_path, kind, key):
    net, optimizer = trained(OPTIMIZERS[kind])
    state = {"model": net.state_dict()}
    state |= {key: [optimizer.state_dict()]} if key else optimizer.state_dict()
    torch.save(state, tmp_path / "c.ckpt")
    assert list(tg.load(tmp_path / "c.ckpt")) == ["model.0.weight", "model.1.weight"]


def test_moments_that_are_named_by_their_weights(tmp_path):
    net, optimizer = trained(torch.optim.Adam)
    names = [name for name, _ in net.named_parameters()]
    by_name = {name: optimizer.state_dict()["state"][number] for number, name in enumerate(names)}
    torch.save({"net": net.state_dict(), "solver": by_name}, tmp_path / "fsdp.pt")
    assert list(tg.load(tmp_path / "fsdp.pt")) == ["net.0.weight", "net.1.weight"]


def test_trees_of_moments_beside_a_counter():
    def tree():
        return {"Dense_0": {"kernel": np.ones((3, 4)), "bias": np.zeros(4)}}

    moments = {"count": np.array(7), "mu": tree(), "nu": tree()}
    state = {"params": tree(), "adam": {"0": moments}, "step": np.array(7)}
    masks = tg.load(state)
    assert list(masks) == ["params.Dense_0.kernel"]
    assert "optimizer" in masks.left_out["adam.0.mu.Dense_0.kernel"]


def test_a_file_of_an_optimizer_alone_has_a_table_of_reasons(tmp_path):
    _, optimizer = trained(torch.optim.Adam)
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    table = tg.measure(tmp_path / "optimizer.pt", ["n_edges"])
    assert table.empty
    assert any("optimizer's state" in reason for reason in table.attrs["left_out"].values())
    with pytest.raises(InvalidMaskError, match="no mask among"):
        tg.load(tmp_path / "optimizer.pt")


def test_names_of_weights():
    names = ("weight", "a.weight_ih_l0_reverse", "x/kernel", "conv/depthwise_kernel:0", "weight_v", "in_proj_weight")
    assert all(map(is_weight_name, names))
    assert not any(map(is_weight_name, ("bias", "weight_scale", "q.mask_scores", "kernel_zero", "w" * 300 + "weight")))
