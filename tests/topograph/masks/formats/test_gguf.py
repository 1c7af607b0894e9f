"""GGUF: every block format that is unpacked, against the published rule written out number by number."""

import struct

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.formats.gguf import write_gguf

RANDOM = np.random.default_rng(0)


def half(value):
    return struct.pack("<e", value)


def q4_0(block):
    codes = [int(v) + 8 for v in block]
    return half(1) + bytes(codes[i] | codes[i + 16] << 4 for i in range(16))


def q4_1(block):
    codes = [int(v) + 8 for v in block]
    return half(1) + half(-8) + bytes(codes[i] | codes[i + 16] << 4 for i in range(16))


def q5_0(block):
    codes = [int(v) + 16 for v in block]
    high = sum((code >> 4) << i for i, code in enumerate(codes))
    return half(1) + struct.pack("<I", high) + bytes(codes[i] & 15 | (codes[i + 16] & 15) << 4 for i in range(16))


def q5_1(block):
    codes = [int(v) + 16 for v in block]
    high = sum((code >> 4) << i for i, code in enumerate(codes))
    tail = bytes(codes[i] & 15 | (codes[i + 16] & 15) << 4 for i in range(16))
    return half(1) + half(-16) + struct.pack("<I", high) + tail


def q8_0(block):
    return half(0.25) + struct.pack("<32b", *(int(v) for v in block))


SCALES = bytes([1] * 4 + [8] * 4 + [1 | 8 << 4] * 4)  # eight scales of 1 and eight offsets of 8


def q4_k(block):
    codes = [int(v) + 8 for v in block]
    tail = [codes[64 * c + i] | codes[64 * c + 32 + i] << 4 for c in range(4) for i in range(32)]
    return half(1) + half(1) + SCALES + bytes(tail)


def q5_k(block):
    codes = [int(v) + 8 for v in block]
    high = [sum((codes[32 * g + i] >> 4) << g for g in range(8)) for i in range(32)]
    low = [code & 15 for code in codes]
    tail = [low[64 * c + i] | low[64 * c + 32 + i] << 4 for c in range(4) for i in range(32)]
    return half(1) + half(1) + SCALES + bytes(high) + bytes(tail)


def q6_k(block):
    codes = [int(v) + 32 for v in block]
    low, high = bytearray(128), bytearray(64)
    for n in range(2):
        for i in range(32):
            four = [codes[128 * n + 32 * k + i] for k in range(4)]
            low[64 * n + i] = four[0] & 15 | (four[2] & 15) << 4
            low[64 * n + 32 + i] = four[1] & 15 | (four[3] & 15) << 4
            high[32 * n + i] = sum((code >> 4) << 2 * k for k, code in enumerate(four))
    return bytes(low) + bytes(high) + bytes([1] * 16) + half(1)


KINDS = {2: (q4_0, 32), 3: (q4_1, 32), 6: (q5_0, 32), 7: (q5_1, 32), 8: (q8_0, 32), 12: (q4_k, 256), 13: (q5_k, 256),
         14: (q6_k, 256)}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_blocks(tmp_path, kind):
    pack, block = KINDS[kind]
    values = np.where(RANDOM.random((3, 512)) < 0.4, RANDOM.integers(-8, 8, (3, 512)), 0)
    data = b"".join(pack(part) for part in values.reshape(-1, block))
    write_gguf(tmp_path / "m.gguf", {"blk.0.ffn_up.weight": (kind, values.shape, data)})
    masks = tg.load(tmp_path / "m.gguf")
    assert masks["blk.0.ffn_up.weight"] == tg.BipartiteGraph.from_mask(values.T)
    assert "unpacked from Q" in masks.read_as["blk.0.ffn_up.weight"]
    largest = tg.load(tmp_path / "m.gguf", threshold=3 if kind != 8 else 0.75)["blk.0.ffn_up.weight"]
    assert largest == tg.BipartiteGraph.from_mask((np.abs(values) > 3).T)


def test_plain_formats_tables_and_unknown_blocks(tmp_path):
    tensors = {
        "token_embd.weight": (1, (5, 4), np.ones((5, 4), "<f2").tobytes()),
        "blk.0.attn_q.weight": (1, (2, 4), np.array([[1, 0, 0, 1], [0, 0, 1, 0]], "<f2").tobytes()),
        "blk.0.ffn_down.weight": (10, (1, 256), bytes(84)),
        "blk.0.ffn_gate_exps.weight": (0, (2, 3, 4), np.ones((2, 3, 4), "<f4").tobytes()),
        "output_norm.weight": (0, (4,), np.ones(4, "<f4").tobytes()),
    }
    write_gguf(tmp_path / "m.gguf", tensors)
    masks = tg.load(tmp_path / "m.gguf")
    assert masks["blk.0.attn_q.weight"].edges().tolist() == [[0, 0], [2, 1], [3, 0]]
    assert set(masks.left_out) == set(tensors) - {"blk.0.attn_q.weight"}
    assert "Q2_K" in masks.left_out["blk.0.ffn_down.weight"]
    assert "embedding" in masks.left_out["token_embd.weight"]
    assert "experts" in masks.left_out["blk.0.ffn_gate_exps.weight"]


def test_a_header_that_claims_too_much(tmp_path):
    path = tmp_path / "m.gguf"
    for content, fault in {
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0): "claims .* more bytes",
        b"GGUF" + struct.pack("<IQQ", 9, 0, 0): "version 9",
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62): "claims .* more bytes",
        b"nope" + bytes(40): "is not a GGUF file",
    }.items():
        path.write_bytes(content)
        with pytest.raises(InvalidMaskError, match=fault):
            tg.load(path)
    write_gguf(path, {"a.weight": (0, (1 << 20, 1 << 20), b"")})
    with pytest.raises(InvalidMaskError, match="truncated"):
        tg.load(path)
