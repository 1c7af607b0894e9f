"""In which orientation a weight lies, told by its siblings; the table says by what."""

import numpy as np
import pytest

import topograph as tg
from topograph.masks.formats.safetensors import write_tensors

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
ones = torch.ones


def shapes(state, **options):
    return {name: graph.shape for name, graph in tg.load(state, **options).items()}


def test_a_bias_tells_the_outputs():
    state = {
        "h.0.attn.c_attn.weight": ones(8, 24), "h.0.attn.c_attn.bias": ones(24),
        "h.0.attn.c_proj.weight": torch.randn(8, 8).triu(), "h.0.attn.c_proj.bias": ones(8),
        "h.0.mlp.c_proj.weight": ones(32, 8), "h.0.mlp.c_proj.bias": ones(8),
        "lm_head.weight": ones(50, 8),
    }  # fmt: skip
    masks = tg.load(state)
    assert masks["h.0.attn.c_attn.weight"].shape == (8, 24)
    assert "by the 24 numbers of its bias" in masks.read_as["h.0.attn.c_attn.weight"]
    square = state["h.0.attn.c_proj.weight"].numpy()
    assert masks["h.0.attn.c_proj.weight"] == tg.BipartiteGraph.from_mask(square)
    assert "as the layers of its kind" in masks.read_as["h.0.attn.c_proj.weight"]
    assert masks["lm_head.weight"].shape == (8, 50)
    assert "bias" not in tg.load({"fc.weight": ones(5, 3), "fc.bias": ones(5)}).read_as["fc.weight"]


def test_a_kernel_is_inputs_by_outputs_whatever_the_file_says(tmp_path):
    dense, conv = {"kernel": np.ones((3, 5)), "bias": np.ones(5)}, {"kernel": np.ones((2, 2, 3, 4))}
    expected = {"params.Dense_0.kernel": (3, 5), "params.Conv_0.kernel": (12, 4)}
    assert shapes({"params": {"Dense_0": dense, "Conv_0": conv}}) == expected
    assert shapes({"Dense_0": {"kernel": ones(3, 5)}}) == {"Dense_0.kernel": (3, 5)}
    write_tensors(tmp_path / "flax.safetensors", {"Dense_0.kernel": np.ones((3, 5), np.float32)}, {})
    assert shapes(tmp_path / "flax.safetensors") == {"Dense_0.kernel": (3, 5)}


def test_arrays_of_pytorch_kept_by_numpy(tmp_path):
    np.savez(tmp_path / "m.npz", **{"fc.weight": np.ones((5, 3)), "fc.bias": np.ones(5), "other": np.ones((5, 3))})
    masks = tg.load(tmp_path / "m.npz", include="*")
    assert masks["fc.weight"].shape == (3, 5)
    assert "by the 5 numbers of its bias" in masks.read_as["fc.weight"]
    assert masks["other"].shape == (5, 3)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(groups):
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(4, 6, 3, groups=groups))
    live, stored = tg.load(model)["0.weight"], tg.load(model.state_dict())
    assert stored["0.weight"] == live
    assert "transposed convolution" in stored.read_as["0.weight"]


def test_a_normalisation_behind_tells_the_outputs():
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(4, 6, 3, bias=False), torch.nn.BatchNorm2d(6))
    masks = tg.load(model.state_dict())
    assert masks["0.weight"].shape == (36, 6)
    assert "by the 6 numbers of the normalisation behind it" in masks.read_as["0.weight"]


def test_a_name_tells_a_transposed_convolution():
    assert shapes({"decoder.deconv1.weight": ones(4, 6, 2, 2)}) == {"decoder.deconv1.weight": (16, 6)}


def test_depthwise_after_a_layer_with_as_many_outputs():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 3, groups=8), torch.nn.Conv2d(8, 5, 1))
    live, stored = tg.load(model), tg.load(model.state_dict())
    assert dict(stored) == dict(live)
    assert "depthwise, by the 8 outputs of 0.weight before it" in stored.read_as["1.weight"]


def test_groups_that_cannot_be_known_are_told_as_a_doubt():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 3, groups=2), torch.nn.Conv2d(8, 5, 1))
    stored = tg.load(model.state_dict())
    assert "it may have 2 groups" in stored.read_as["1.weight"]
    told = tg.load(model.state_dict(), geometry={"1.*": tg.masks.Geometry(groups=2)})
    assert told["1.weight"] == tg.load(model)["1.weight"]
