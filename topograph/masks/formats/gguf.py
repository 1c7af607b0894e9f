"""``.gguf``: models of llama.cpp; unquantized tensors, and the block formats that can be unpacked."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.limits import check_shape
from topograph.masks.dtypes import decode, raw_dtype
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.weights import Stored

Array = npt.NDArray[Any]
_PLAIN = {
    0: "F32", 1: "F16", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16",
}  # fmt: skip
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Kind of a value in the header → its bytes; 8 is a text, 9 an array."""
_TEXT, _ARRAY = 8, 9
_DEEPEST, _MOST_DIMENSIONS = 4, 8
_NAMES = {
    9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


@contextmanager
def open_gguf(path: Path) -> Iterator[Source]:
    """The tensors by name; the first side that the file names is the inputs."""
    with path.open("rb") as file:
        tensors = dict(_tensors(_Header(file, path.stat().st_size), path))
    yield Source(str(path), tuple(state_entries(tensors)))


class _Header:
    """Reads the numbers and texts of the header, none beyond the end of the file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.size = file, size

    def take(self, count: int) -> bytes:
        if count > self.size - self.file.tell():
            raise InvalidMaskError(f"the header claims {count} more bytes than there are; the file is truncated")
        return self.file.read(count)

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def text(self) -> str:
        return self.take(self.number(8)).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> int | None:
        """Pass over a value; a whole number is returned."""
        if kind in _WIDTHS:
            raw = self.take(_WIDTHS[kind])
            return None if kind in (6, 12) else int.from_bytes(raw, "little")
        if kind == _TEXT:
            self.take(self.number(8))
        elif kind == _ARRAY and depth < _DEEPEST:
            inner, count = self.number(4), self.number(8)
            if inner in _WIDTHS:
                self.file.seek(min(self.size, self.file.tell() + count * _WIDTHS[inner]))
            else:
                for _ in range(count):
                    self.value(inner, depth + 1)
        else:
            raise InvalidMaskError(f"the header holds a value of the unknown kind {kind}")
        return None


def _tensors(header: _Header, path: Path) -> Iterator[tuple[str, Stored]]:
    if header.take(4) != b"GGUF":
        raise InvalidMaskError("is not a GGUF file: it begins otherwise")
    version = header.number(4)
    if version not in (2, 3):
        raise InvalidMaskError(f"is GGUF version {version}, but 2 and 3 of little-endian machines can be read")
    n_tensors, n_values = header.number(8), header.number(8)
    alignment = 32
    for _ in range(n_values):
        key = header.text()
        value = header.value(header.number(4))
        if key == "general.alignment" and value:
            alignment = value
    found = []
    for _ in range(n_tensors):
        name, n_sides = header.text(), header.number(4)
        if n_sides > _MOST_DIMENSIONS:
            raise InvalidMaskError(f"the tensor {name[:80]!r} claims {n_sides} dimensions")
        sides = [header.number(8) for _ in range(n_sides)]
        found.append((name, check_shape(sides[::-1]), header.number(4), header.number(8)))
    start = -(-header.file.tell() // alignment) * alignment
    seen: dict[str, int] = {}
    for name, shape, kind, offset in found:
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        yield label, _stored(path, name, shape, kind, start + offset, header.size)


def _stored(path: Path, name: str, shape: tuple[int, ...], kind: int, start: int, size: int) -> Stored:
    count = math.prod(shape)
    if kind in _PLAIN:
        dtype = _PLAIN[kind]
        _check_room(name, start, count * raw_dtype(dtype).itemsize, size)
        return Stored(shape, partial(_plain, path, start, shape, dtype), dtype=dtype)
    if kind not in _BLOCKS:
        reason = f"is stored as {_NAMES.get(kind, f'kind {kind}')}, which cannot be unpacked here"
        return Stored(shape, lambda: None, reason)
    label, block, width, unpack = _BLOCKS[kind]
    if not shape or shape[-1] % block:
        return Stored(shape, lambda: None, f"is stored as {label} in blocks of {block}, which do not divide its rows")
    _check_room(name, start, count // block * width, size)
    read = partial(_blocks, path, start, shape, (block, width), unpack)
    return Stored(shape, read, dtype="F32", note=f"unpacked from {label}")


def _check_room(name: str, start: int, needed: int, size: int) -> None:
    if start + needed > size:
        raise InvalidMaskError(
            f"the tensor {name[:80]!r} needs {needed} bytes at {start}, but the file has {size}; it is truncated"
        )


def _raw(path: Path, start: int, dtype: np.dtype[Any], count: int) -> Array:
    with path.open("rb") as file:
        file.seek(start)
        values = np.fromfile(file, dtype=dtype, count=count)
    if values.size != count:
        raise InvalidMaskError("the file was cut short while it was read")
    return values


def _plain(path: Path, start: int, shape: tuple[int, ...], dtype: str) -> Array:
    return decode(_raw(path, start, raw_dtype(dtype), math.prod(shape)).reshape(shape), dtype)


def _blocks(
    path: Path, start: int, shape: tuple[int, ...], sizes: tuple[int, int], unpack: Callable[[Array], Array]
) -> Array:
    block, width = sizes
    count = math.prod(shape) // block
    raw = _raw(path, start, np.dtype("u1"), count * width).reshape(count, width)
    return unpack(raw).astype(np.float32, copy=False).reshape(shape)


# ------------------------------------------------------------------ one block format after the other


def _half(raw: Array, at: int) -> Array:
    """A 16-bit float of every block, as a column."""
    return np.ascontiguousarray(raw[:, at : at + 2]).view("<f2").astype(np.float32)


def _halves(raw: Array) -> Array:
    """4-bit numbers of which the lower halves come first."""
    return np.concatenate([raw & 15, raw >> 4], axis=1).astype(np.float32)


def _zeroed(values: Array, step: Array) -> Array:
    """With an offset, zero is the level that is nearest to it: rounding may leave a trace."""
    return np.where(np.abs(values) < np.abs(step) / 64, 0, values)


def _q4_0(raw: Array) -> Array:
    return np.asarray(_half(raw, 0) * (_halves(raw[:, 2:]) - 8))


def _q4_1(raw: Array) -> Array:
    step = _half(raw, 0)
    return _zeroed(step * _halves(raw[:, 4:]) + _half(raw, 2), step)


def _fifth(raw: Array, at: int) -> Array:
    """The fifth bits of 32 numbers, as 0 or 16."""
    return np.unpackbits(raw[:, at : at + 4], axis=1, bitorder="little").astype(np.float32) * 16


def _q5_0(raw: Array) -> Array:
    return np.asarray(_half(raw, 0) * (_halves(raw[:, 6:]) + _fifth(raw, 2) - 16))


def _q5_1(raw: Array) -> Array:
    step = _half(raw, 0)
    return _zeroed(step * (_halves(raw[:, 8:]) + _fifth(raw, 4)) + _half(raw, 2), step)


def _q8_0(raw: Array) -> Array:
    return _half(raw, 0) * raw[:, 2:].view(np.int8)


def _scales(raw: Array) -> tuple[Array, Array]:
    """Eight 6-bit scales and offsets in twelve bytes."""
    low, middle, high = raw[:, :4], raw[:, 4:8], raw[:, 8:12]
    steps = np.concatenate([low & 63, (high & 15) | (low >> 6) << 4], axis=1)
    offsets = np.concatenate([middle & 63, (high >> 4) | (middle >> 6) << 4], axis=1)
    return steps.astype(np.float32), offsets.astype(np.float32)


def _by_offset(raw: Array, codes: Array) -> Array:
    """Eight groups of 32 numbers, each with a scale and an offset."""
    steps, offsets = _scales(raw[:, 4:16])
    step = (_half(raw, 0) * steps)[:, :, None]
    values = step * codes.reshape(len(raw), 8, 32) - (_half(raw, 2) * offsets)[:, :, None]
    return _zeroed(values, step).reshape(len(raw), 256)


def _in_chunks(raw: Array) -> Array:
    """4-bit numbers in chunks of 32 bytes: the lower halves, then the upper halves of each."""
    chunks = raw.reshape(len(raw), 4, 32)
    return np.stack([chunks & 15, chunks >> 4], axis=2).reshape(len(raw), 256)


def _q4_k(raw: Array) -> Array:
    return _by_offset(raw, _in_chunks(raw[:, 16:]).astype(np.float32))


def _q5_k(raw: Array) -> Array:
    high = raw[:, 16:48]
    bits = np.stack([(high >> bit) & 1 for bit in range(8)], axis=1).reshape(len(raw), 256)
    return _by_offset(raw, _in_chunks(raw[:, 48:]) + 16 * bits.astype(np.float32))


def _q6_k(raw: Array) -> Array:
    low, high = raw[:, :128].reshape(-1, 2, 2, 32), raw[:, 128:192].reshape(-1, 2, 1, 32)
    nibbles = np.concatenate([low & 15, low >> 4], axis=2)  # four groups of 32 in each half
    pairs = np.concatenate([(high >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2)
    codes = (nibbles | pairs << 4).astype(np.float32) - 32
    steps = raw[:, 192:208].view(np.int8).astype(np.float32).reshape(-1, 2, 4, 2)
    step = np.repeat(steps, 16, axis=3)
    return np.asarray(_half(raw, 208) * (codes * step).reshape(len(raw), 256))


_BLOCKS: dict[int, tuple[str, int, int, Callable[[Array], Array]]] = {
    2: ("Q4_0", 32, 18, _q4_0),
    3: ("Q4_1", 32, 20, _q4_1),
    6: ("Q5_0", 32, 22, _q5_0),
    7: ("Q5_1", 32, 24, _q5_1),
    8: ("Q8_0", 32, 34, _q8_0),
    12: ("Q4_K", 256, 144, _q4_k),
    13: ("Q5_K", 256, 176, _q5_k),
    14: ("Q6_K", 256, 210, _q6_k),
}
"""Number of a block format → its name, numbers and bytes per block, and how it is unpacked."""


def write_gguf(path: Path, tensors: dict[str, tuple[int, tuple[int, ...], bytes]]) -> None:
    """Write a small GGUF file; for samples.

    Parameters
    ----------
    tensors
        Name → number of the format, shape (outputs first), and bytes.
    """
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), 2)
    head += _text("general.architecture") + struct.pack("<I", _TEXT) + _text("sample")
    head += _text("general.alignment") + struct.pack("<II", 4, 32)
    content = b""
    for name, (kind, shape, data) in tensors.items():
        content += b"\0" * (-len(content) % 32)
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(content))
        content += data
    path.write_bytes(head + b"\0" * (-len(head) % 32) + content)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _write_samples(folder: Path) -> None:
    wide = np.tile(SAMPLE.T, 6)[:, :32]  # 4 outputs × 32 inputs
    steps = np.full((4, 1), 0.5, "<f2").view("u1").reshape(4, 2)
    scaled = np.concatenate([steps, wide.astype(np.int8).view("u1")], axis=1)
    tensors = {
        "blk.0.ffn_up.weight": (0, SAMPLE.T.shape, SAMPLE.T.tobytes()),
        "blk.0.ffn_down.weight": (8, (4, 32), scaled.tobytes()),
        "blk.0.attn_norm.weight": (0, (4,), np.ones(4, "<f4").tobytes()),
    }
    write_gguf(folder / "model.gguf", tensors)


FORMAT = Format(
    "gguf",
    (".gguf",),
    "llama.cpp models, unquantized or in blocks that can be unpacked; outputs × inputs",
    open_gguf,
    _write_samples,
)
