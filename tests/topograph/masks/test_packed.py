"""Packed weights are unpacked to the values that they stand for; references are packed here, by the formats' rules."""

import json

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.formats.safetensors import write_tensors

RANDOM = np.random.default_rng(0)
OUTPUTS, INPUTS = 64, 32
KEPT = RANDOM.random((OUTPUTS, INPUTS)) < 0.3


def words(codes, bits):
    """Codes as 32-bit words, lowest bits first, along the last axis."""
    per = 32 // bits
    shifted = codes.astype(np.uint64).reshape(*codes.shape[:-1], -1, per) << (np.arange(per, dtype=np.uint64) * bits)
    return shifted.sum(axis=-1).astype(np.uint32).view(np.int32)


def codes(bits, zero):
    """Random codes that are the zero point exactly where nothing is kept."""
    drawn = RANDOM.integers(0, 1 << bits, size=KEPT.shape)
    drawn = np.where(drawn == zero, (zero + 1) % (1 << bits), drawn)
    return np.where(KEPT, drawn, zero)


def mask_of(path, name="q.weight", **options):
    return tg.load(path, **options)[name].to_mask().T


def written(folder, tensors, config=None, kind="pt"):
    write_tensors(folder / "model.safetensors", tensors, {"format": kind})
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.safetensors"


@pytest.mark.parametrize(("bits", "stored_zero"), [(4, 7), (8, 127), (4, 5), (2, 1)])
def test_gptq(tmp_path, bits, stored_zero):
    zero = stored_zero + 1
    drawn = codes(bits, zero)
    tensors = {
        "q.qweight": np.ascontiguousarray(words(drawn, bits).T),
        "q.qzeros": words(np.full((1, OUTPUTS), stored_zero), bits),
        "q.scales": np.full((1, OUTPUTS), 0.5, np.float16),
        "q.g_idx": np.zeros(INPUTS, np.int32),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_gptq_of_the_second_version_keeps_the_zero_point_itself(tmp_path):
    drawn = codes(4, 8)
    tensors = {
        "q.qweight": np.ascontiguousarray(words(drawn, 4).T),
        "q.qzeros": words(np.full((1, OUTPUTS), 8), 4),
        "q.scales": np.ones((1, OUTPUTS), np.float16),
        "q.g_idx": np.zeros(INPUTS, np.int32),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_awq(tmp_path):
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    drawn = codes(4, 6).T  # inputs × outputs
    shuffled = drawn.reshape(INPUTS, -1, 8)[:, :, order].reshape(INPUTS, -1)
    tensors = {
        "q.qweight": words(shuffled, 4),
        "q.qzeros": words(np.full((1, OUTPUTS), 6), 4),
        "q.scales": np.ones((1, OUTPUTS), np.float16),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_compressed_tensors(tmp_path):
    tensors = {
        "q.weight_packed": words(codes(4, 8), 4),
        "q.weight_scale": np.ones((OUTPUTS, 2), np.float32),
        "q.weight_shape": np.array([OUTPUTS, INPUTS]),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_sparse_bitmask(tmp_path):
    weights = np.where(KEPT, RANDOM.normal(size=KEPT.shape), 0).astype(np.float32)
    tensors = {
        "q.weight.shape": np.array(KEPT.shape),
        "q.weight.compressed": weights[KEPT],
        "q.weight.bitmask": np.packbits(KEPT, axis=-1, bitorder="little"),
        "q.weight.row_offsets": np.cumsum(KEPT.sum(1)),
    }
    path = written(tmp_path, tensors)
    assert np.array_equal(mask_of(path), KEPT)
    largest = tg.load(path, density=0.1)["q.weight"].to_mask().T
    assert np.array_equal(largest, np.abs(weights) >= np.sort(np.abs(weights).ravel())[-round(0.1 * weights.size)])
    tensors["q.weight.compressed"] = weights[KEPT][:-1]
    with pytest.raises(InvalidMaskError, match=r"values for .* bits of its bitmask"):
        tg.load(written(tmp_path, tensors))


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_bitsandbytes(tmp_path, kind):
    drawn = codes(4, 7 if kind == "nf4" else 0)
    if kind == "fp4":
        drawn[drawn == 8] = 9  # the negative zero
    flat = drawn.ravel().astype(np.uint8)
    about = json.dumps({"quant_type": kind, "shape": [OUTPUTS, INPUTS], "blocksize": 64}).encode()
    tensors = {
        "q.weight": (flat[::2] << 4 | flat[1::2]).reshape(-1, 1),
        "q.weight.absmax": np.ones(OUTPUTS * INPUTS // 64, np.float32),
        f"q.weight.quant_state.bitsandbytes__{kind}": np.frombuffer(about, np.uint8),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_mxfp4_experts_are_unpacked_when_they_are_named(tmp_path):
    drawn = np.stack([codes(4, 0), codes(4, 0)])
    drawn[drawn == 8] = 9
    tensors = {
        "experts.up_blocks": (drawn[..., ::2] | drawn[..., 1::2] << 4).astype(np.uint8).reshape(2, OUTPUTS, 1, 16),
        "experts.up_scales": np.full((2, OUTPUTS, 1), 127, np.uint8),
    }
    path = written(tmp_path, tensors)
    with pytest.raises(InvalidMaskError, match="stacks the matrices of experts"):
        tg.load(path)


def test_mlx_is_unpacked_by_the_configuration_beside_it(tmp_path):
    tensors = {
        "q.weight": words(codes(4, 8), 4).view(np.uint32),
        "q.scales": np.full((OUTPUTS, 1), 0.25, np.float32),
        "q.biases": np.full((OUTPUTS, 1), -2.0, np.float32),
    }
    path = written(tmp_path, tensors, kind="mlx")
    with pytest.raises(InvalidMaskError, match=r"told by a config\.json"):
        tg.load(path)
    path = written(tmp_path, tensors, {"quantization": {"bits": 4, "group_size": 32}}, kind="mlx")
    assert np.array_equal(mask_of(path), KEPT)


@pytest.mark.parametrize("shape", [(), (OUTPUTS,), (OUTPUTS, 1), (OUTPUTS, 2)])
def test_integers_with_a_zero_point_beside_them(tmp_path, shape):
    tensors = {
        "q.weight": codes(8, 100).astype(np.uint8),
        "q.weight_zero_point": np.full(shape, 100, np.uint8),
        "q.weight_scale": np.ones(shape, np.float32),
    }
    assert np.array_equal(mask_of(written(tmp_path, tensors)), KEPT)


def test_integers_beside_a_scale_of_an_unknown_kind_are_left_out(tmp_path):
    tensors = {"q.weight": np.ones((8, 4), np.uint8), "q.scales": np.ones((8, 1)), "fc.weight": np.ones((3, 2))}
    masks = tg.load(written(tmp_path, tensors))
    assert list(masks) == ["fc.weight"]
    assert "in a way that is not told" in masks.left_out["q.weight"]


def test_four_bit_floats():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not hasattr(torch, "float4_e2m1fn_x2"):
        pytest.skip("this PyTorch has no 4-bit floats")
    packed = torch.tensor([[0x10, 0x00], [0x08, 0x21]], dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    assert tg.load({"w": packed})["w"].to_mask().T.astype(int).tolist() == [[0, 1, 0, 0], [0, 0, 1, 1]]
