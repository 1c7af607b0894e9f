"""Packed storage: weights of which several lie in one stored number, or beside a bitmask, unpacked by sibling names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.limits import SMALL, check_expansion
from topograph.masks.weights import Stored

Array = npt.NDArray[Any]
Values = Callable[[], Any]
_BITS = (2, 4, 8)
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=np.float32)
"""The sixteen values of a 4-bit float."""
NF4 = np.array(
    [
        *(-1.0, -0.69619280, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0),
        *(0.07958030, 0.16093020, 0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1.0),
    ],
    dtype=np.float32,
)
"""The sixteen values of bitsandbytes' normal float."""
_SCALES = ("scale", "scales", "absmax", "zero", "zeros", "zero_point", "SCB", "quant_state", "quant_map", "codebooks")


@dataclass(frozen=True)
class Unpacked:
    """The tensors of a source after packed ones were replaced.

    Parameters
    ----------
    tensors
        Name → tensor, in the order of the source; unpacked ones stand where their packed values stood.
    parts
        Name of a tensor that is only a part of another's storage → the reason to leave it out.
    """

    tensors: dict[str, Stored]
    parts: dict[str, str] = field(default_factory=dict)


def may_be_packed(name: str) -> bool:
    """Whether a tensor's name belongs to a storage whose reading may depend on the model's configuration."""
    return name.endswith(_ANCHORS)


def unpack(tensors: Mapping[str, Stored], config: Mapping[str, Any] | None = None) -> Unpacked:
    """Replace packed weights by their values where names, shapes and configuration tell how; else say what is missing.

    Parameters
    ----------
    tensors
        Name → tensor.
    config
        The model's ``config.json``, where one lies beside the weights.
    """
    settings = _settings(config or {})
    replaced: dict[str, tuple[str, Stored]] = {}
    parts: dict[str, str] = {}
    for name in tensors:
        if not may_be_packed(name):
            continue
        anchor = next((end for end in _STORAGES if name.endswith(end) and name != end), None)
        result = None if anchor is None else _STORAGES[anchor](name.removesuffix(anchor), tensors, settings)
        if result is not None:
            target, stored, used = result
            replaced[name] = target, _bounded(target, stored, [tensors[part] for part in {name, *used}])
            parts.update({part: f"is a part of how {target} is stored" for part in used if part not in (name, target)})
    targets = {target for target, _ in replaced.values()}
    has_scales = any(name.endswith(_SCALES) for name in tensors)
    unpacked: dict[str, Stored] = {}
    for name, stored in tensors.items():
        if name in replaced:
            target, value = replaced[name]
            unpacked[target] = value
            if target != name:
                parts[name] = f"is a part of how {target} is stored"
        elif name not in parts and name not in targets:
            scale = _scale_beside(name, stored, tensors) if has_scales else ""
            problem = (
                f"holds {stored.dtype} beside {scale}: packed or quantized in a way that is not told" if scale else ""
            )
            unpacked[name] = replace(stored, problem=problem) if problem else stored
    return Unpacked(unpacked, parts)


def _bounded(name: str, stored: Stored, parts: list[Stored]) -> Stored:
    """Hold an unpacked tensor to what its parts can hold: at most eight numbers for a byte, or a gigabyte."""
    if stored.problem:
        return stored
    there = sum(math.prod(part.shape) for part in parts)
    needed = math.prod(stored.shape)
    if 4 * needed > SMALL and needed > 64 * there:
        check_expansion(name, there, 4 * needed)

    def read() -> Any:
        values = stored.read()
        if tuple(values.shape) != stored.shape:
            raise InvalidMaskError(f"is packed for shape {tuple(values.shape)}, but shape {stored.shape} was announced")
        return values

    return replace(stored, read=read)


Result = tuple[str, Stored, tuple[str, ...]] | None
"""Name and tensor after unpacking, and the names of what it was made of."""


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("quantization", "quantization_config"):
        value = config.get(key)
        if isinstance(value, Mapping):
            found.update(value)
    return found


def _present(stem: str, tensors: Mapping[str, Stored], *ends: str) -> tuple[str, ...]:
    return tuple(stem + end for end in ends if stem + end in tensors)


def _unusable(name: str, stored: Stored, reason: str) -> Stored:
    return Stored(stored.shape, stored.read, f"is packed{f' ({name})' if name else ''}: {reason}")


# ------------------------------------------------------------------ one storage after the other


def _bitmask(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """compressed-tensors' sparse-bitmask: the non-zero values, and one bit per entry."""
    used = _present(stem, tensors, ".compressed", ".bitmask", ".shape", ".row_offsets")
    if stem + ".compressed" not in tensors:
        return None
    bits, values = tensors[stem + ".bitmask"], tensors[stem + ".compressed"]
    shape = _shape_of(tensors.get(stem + ".shape"))
    if shape is None or len(shape) != 2 or bits.dtype != "U8" or bits.shape != (shape[0], -(-shape[1] // 8)):
        return stem, _unusable("sparse-bitmask", bits, "its bitmask does not fit its shape"), used

    def read() -> Any:
        mask = np.unpackbits(np.asarray(bits.read()), axis=1, count=shape[1], bitorder="little").astype(bool)
        kept = np.asarray(values.read()).ravel()
        if kept.size != np.count_nonzero(mask):
            raise InvalidMaskError(f"has {kept.size} values for {np.count_nonzero(mask)} bits of its bitmask")
        dense = np.zeros(shape, dtype=kept.dtype)
        dense[mask] = kept
        return dense

    return stem, Stored(shape, read, dtype=values.dtype, note="unpacked from a sparse bitmask"), used


def _qweight(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """GPTQ packs along the inputs, AWQ along the outputs; both have a zero point for each group."""
    weight, scales, zeros = (tensors.get(stem + end) for end in (".qweight", ".scales", ".qzeros"))
    used = _present(stem, tensors, ".qweight", ".scales", ".qzeros", ".g_idx", ".qweight_type")
    target = stem + ".weight"
    assert weight is not None
    if scales is None or zeros is None or any(len(part.shape) != 2 for part in (weight, scales, zeros)):
        return target, _unusable("", weight, "its scales and zero points are not beside it"), used
    index = tensors.get(stem + ".g_idx")
    rows, columns = weight.shape
    n_groups, outputs = scales.shape
    if columns == outputs and rows:  # GPTQ
        n_inputs = index.shape[0] if index is not None and len(index.shape) == 1 else 0
        bits = settings.get("bits") or (32 * rows // n_inputs if n_inputs else 0)
        if bits not in _BITS or 32 % bits or zeros.shape != (n_groups, -(-outputs * bits // 32)):
            return target, _unusable("GPTQ", weight, "the number of bits is not told, or not 2, 4 or 8"), used
        n_inputs = rows * 32 // bits
        version = 2 if settings.get("checkpoint_format") == "gptq_v2" else 1
        read = _gptq(weight, scales, zeros, index, bits, version)
        note = f"unpacked from GPTQ's {bits} bits: zero is its zero point"
    elif columns * 8 == outputs:  # AWQ has four bits only
        n_inputs = rows
        if zeros.shape != (n_groups, columns) or not n_groups:
            return target, _unusable("AWQ", weight, "its zero points do not fit"), used
        read = _awq(weight, scales, zeros)
        note = "unpacked from AWQ's 4 bits: zero is its zero point"
    else:
        return target, _unusable("", weight, "its scales fit neither GPTQ nor AWQ"), used
    return target, Stored((outputs, n_inputs), read, dtype="F32", note=note), used


def _gptq(weight: Stored, scales: Stored, zeros: Stored, index: Stored | None, bits: int, version: int) -> Values:
    def read() -> Any:
        quantized = _nibbles(_words(weight.read()).T, bits).T  # inputs × outputs
        points = _nibbles(_words(zeros.read()), bits)[:, : quantized.shape[1]].astype(np.int64)
        middle = 1 << (bits - 1)
        if version == 1 and not (points == middle).all():  # the first version stores one less
            points = points + 1
        factors = np.asarray(scales.read(), dtype=np.float32)
        n_inputs = quantized.shape[0]
        if index is None:
            groups = np.arange(n_inputs) // max(1, -(-n_inputs // len(factors)))
        else:
            groups = np.asarray(index.read()).astype(np.int64)
        if groups.shape != (n_inputs,) or groups.min() < 0 or groups.max() >= len(factors):
            raise InvalidMaskError("its index of groups does not fit its scales")
        return ((quantized - points[groups]) * factors[groups]).astype(np.float32).T

    return read


def _awq(weight: Stored, scales: Stored, zeros: Stored) -> Values:
    def unshuffled(stored: Stored) -> Array:
        plain = _nibbles(_words(stored.read()), 4)
        return plain.reshape(len(plain), -1, 8)[:, :, _AWQ_ORDER].reshape(plain.shape).astype(np.int64)

    def read() -> Any:
        quantized, points = unshuffled(weight), unshuffled(zeros)
        factors = np.asarray(scales.read(), dtype=np.float32)
        groups = np.arange(len(quantized)) // max(1, -(-len(quantized) // len(factors)))
        return ((quantized - points[groups]) * factors[groups]).astype(np.float32).T

    return read


def _weight_packed(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """compressed-tensors' pack-quantized (integers with an offset) and nvfp4-pack-quantized (4-bit floats)."""
    ends = ("_packed", "_scale", "_shape", "_zero_point", "_g_idx", "_global_scale")
    used, packed = _present(stem, tensors, *ends), tensors[stem + "_packed"]
    scale, shape = tensors.get(stem + "_scale"), _shape_of(tensors.get(stem + "_shape"))
    if len(packed.shape) != 2 or scale is None:
        return stem, _unusable("compressed-tensors", packed, "its scale is not beside it"), used
    if packed.dtype == "U8":
        return stem, replace(_floats(packed), note="unpacked from 4-bit floats, without their scales"), used
    if shape is None or len(shape) != 2 or shape[0] != packed.shape[0] or not shape[1]:
        return stem, _unusable("compressed-tensors", packed, "its shape is not beside it"), used
    bits = 32 * packed.shape[1] // shape[1]
    if bits not in _BITS or -(-shape[1] * bits // 32) != packed.shape[1]:
        return stem, _unusable("compressed-tensors", packed, f"{bits} bits cannot be unpacked"), used
    points = tensors.get(stem + "_zero_point")
    if points is not None and (len(points.shape) != 2 or points.shape[0] != -(-shape[0] * bits // 32)):
        return stem, _unusable("compressed-tensors", packed, "its zero points do not fit"), used

    def read() -> Any:
        quantized = _nibbles(_words(packed.read()), bits)[:, : shape[1]].astype(np.int64)
        factors = np.asarray(scale.read(), dtype=np.float32).reshape(shape[0], -1)
        groups = np.arange(shape[1]) * factors.shape[1] // shape[1]
        if points is None:
            centred = quantized - (1 << (bits - 1))
        else:
            centre = _nibbles(_words(points.read()).T, bits).T[: shape[0]].astype(np.int64)
            centred = quantized - centre[:, np.arange(shape[1]) * centre.shape[1] // shape[1]]
        return (centred * factors[:, groups]).astype(np.float32)

    note = f"unpacked from compressed-tensors' {bits} bits"
    return stem, Stored(shape, read, dtype="F32", note=note), used


def _bitsandbytes(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """Two 4-bit codes to the byte, the first in the upper half; shape and kind in a JSON text beside it."""
    states = [f".quant_state.bitsandbytes__{kind}" for kind in ("nf4", "fp4")]
    more = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", *states)
    weight, used = tensors.get(stem), _present(stem, tensors, *more)
    if weight is None or weight.dtype != "U8" or weight.shape[-1:] != (1,):
        return None
    state = next((tensors[stem + end] for end in states if stem + end in tensors), None)
    about = _json_of(state)
    kind, shape = about.get("quant_type"), about.get("shape")
    sides = (
        tuple(shape) if isinstance(shape, list) and all(isinstance(side, int) and side >= 0 for side in shape) else ()
    )
    if kind not in ("nf4", "fp4") or len(sides) != 2 or -(-math.prod(sides) // 2) != weight.shape[0]:
        return stem, _unusable("bitsandbytes", weight, "its kind and shape are not told beside it"), used
    absmax, told = tensors.get(stem + ".absmax"), about.get("blocksize")
    block = told if isinstance(told, int) and told > 0 else 0
    table = NF4 if kind == "nf4" else _FP4
    scaled = absmax is not None and absmax.dtype.startswith("F") and block > 0

    def read() -> Any:
        codes = np.asarray(weight.read()).ravel()
        values = table[np.stack([codes >> 4, codes & 15], axis=1).ravel()[: math.prod(sides)]]
        if scaled and absmax is not None:
            factors = np.repeat(np.asarray(absmax.read(), dtype=np.float32), block)[: values.size]
            if factors.size != values.size:
                raise InvalidMaskError(f"has {factors.size} block scales for {values.size} values")
            values = values * factors
        return values.reshape(sides)

    note = f"unpacked from {kind}{'' if scaled else ', without block scales'}"
    return stem, Stored(sides, read, dtype="F32", note=note), used


_FP4 = np.array(
    [0, 0.0052083, 0.6666667, 1, 0.3333333, 0.5, 0.1666667, 0.25, 0, -0.0052083, -0.6666667, -1, -0.3333333, -0.5,
     -0.1666667, -0.25], dtype=np.float32,
)  # fmt: skip


def _blocks(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """MXFP4: blocks of 32 4-bit floats with one power of two each; outputs × inputs, for each expert."""
    blocks, scales = tensors[stem + "_blocks"], tensors.get(stem + "_scales")
    if scales is None or blocks.dtype != "U8" or blocks.shape[:-1] != scales.shape or blocks.shape[-1:] != (16,):
        return None
    shape = (*blocks.shape[:-2], blocks.shape[-2] * 32)

    def read() -> Any:
        powers = np.exp2(np.asarray(scales.read(), dtype=np.float32) - 127.0)
        values = _floats(blocks).read() * powers[..., None]
        return values.reshape(shape)

    return stem, Stored(shape, read, dtype="F32", note="unpacked from MXFP4"), (stem + "_blocks", stem + "_scales")


def _mlx(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """MLX: value = scale · code + bias, for each group of inputs; the configuration tells bits and group size."""
    weight, scales, biases = (tensors.get(stem + end) for end in (".weight", ".scales", ".biases"))
    if weight is None or scales is None or biases is None or weight.dtype not in ("U32", "I32"):
        return None
    used, target = _present(stem, tensors, ".scales", ".biases"), stem + ".weight"
    bits, size = (value if isinstance(value, int) else 0 for value in map(settings.get, ("bits", "group_size")))
    fits = (
        bits in _BITS
        and size > 0
        and len(weight.shape) == 2
        and scales.shape == biases.shape == (weight.shape[0], weight.shape[1] * 32 // bits // size)
    )
    if not fits:
        return target, _unusable("MLX", weight, "its bits and group size are told by a config.json beside it"), used

    def read() -> Any:
        codes = _nibbles(_words(weight.read()), bits).astype(np.float32)
        factors, offsets = (np.repeat(np.asarray(part.read(), np.float32), size, axis=1) for part in (scales, biases))
        values = codes * factors + offsets
        return np.where(np.abs(values) < np.abs(factors) / 64, 0, values).astype(np.float32)

    shape = (weight.shape[0], weight.shape[1] * 32 // bits)
    return target, Stored(shape, read, dtype="F32", note=f"unpacked from MLX's {bits} bits"), used


def _zero_point(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """8-bit integers with a zero point beside them."""
    weight, points = tensors.get(stem), tensors[stem + "_zero_point"]
    if weight is None or weight.dtype not in ("I8", "U8") or len(weight.shape) < 2:
        return None
    used = _present(stem, tensors, "_zero_point", "_scale")

    def read() -> Any:
        centre = np.asarray(points.read(), dtype=np.int64)
        shape = centre.shape
        if centre.size == 1:
            centre = centre.reshape(())
        elif len(shape) == 1 and shape[0] == weight.shape[0]:
            centre = centre.reshape(-1, *[1] * (len(weight.shape) - 1))
        elif (
            len(shape) == 2
            and len(weight.shape) == 2
            and shape[0] == weight.shape[0]
            and not weight.shape[1] % shape[1]
        ):
            centre = np.repeat(centre, weight.shape[1] // shape[1], axis=1)
        else:
            raise InvalidMaskError(f"has zero points of shape {shape}, which do not fit shape {weight.shape}")
        return np.asarray(weight.read(), dtype=np.int64) - centre

    return stem, replace(weight, read=read, dtype="I64", note="zero is its zero point"), used


_STORAGES: dict[str, Callable[[str, Mapping[str, Stored], Mapping[str, Any]], Result]] = {
    ".bitmask": _bitmask,
    ".qweight": _qweight,
    ".absmax": _bitsandbytes,
    ".scales": _mlx,
    "_packed": _weight_packed,
    "_blocks": _blocks,
    "_zero_point": _zero_point,
}
_ANCHORS = tuple(_STORAGES)


def _scale_beside(name: str, stored: Stored, tensors: Mapping[str, Stored]) -> str:
    """The sibling that tells that integers are not the values."""
    if stored.dtype not in ("U8", "I32", "U32", "I16", "U16") or len(stored.shape) < 2:
        return ""
    module = name.rpartition(".")[0]
    for end in _SCALES:
        for candidate in (f"{name}_{end}", f"{name}.{end}", f"{module}.{end}" if module else end):
            if candidate in tensors and candidate != name:
                return candidate
    return ""


# ------------------------------------------------------------------ bits


def _words(values: Any) -> npt.NDArray[np.uint32]:
    words = np.ascontiguousarray(values)
    if words.dtype.itemsize != 4 or words.dtype.kind not in "iu":
        raise InvalidMaskError(f"is packed in {words.dtype}, but 32-bit words were expected")
    return words.view(np.uint32)


def _nibbles(words: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.int64]:
    """The codes of ``bits`` bits in each word, lowest bits first, along the last axis."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    codes = (words[..., None] >> shifts) & np.uint32((1 << bits) - 1)
    return codes.reshape(*words.shape[:-1], -1).astype(np.int64)


def _floats(packed: Stored) -> Stored:
    """Two 4-bit floats to the byte, the first in the lower half."""

    def read() -> Any:
        codes = np.asarray(packed.read()).view(np.uint8)
        return E2M1[np.stack([codes & 15, codes >> 4], axis=-1).reshape(*codes.shape[:-1], -1)]

    return Stored((*packed.shape[:-1], 2 * packed.shape[-1]), read, dtype="F32")


def unpacked_floats(packed: Stored) -> Stored:
    """A tensor of pairs of 4-bit floats, unpacked along its last axis."""
    return replace(_floats(packed), note="unpacked from 4-bit floats")


def _shape_of(stored: Stored | None) -> tuple[int, ...] | None:
    if stored is None or stored.problem or len(stored.shape) != 1 or stored.shape[0] > 8:
        return None
    sides = np.asarray(stored.read())
    return tuple(int(side) for side in sides) if sides.dtype.kind in "iu" and (sides >= 0).all() else None


def _json_of(stored: Stored | None) -> dict[str, Any]:
    if stored is None or stored.problem or stored.dtype != "U8" or math.prod(stored.shape) > 1 << 16:
        return {}
    try:
        parsed = json.loads(np.asarray(stored.read()).astype(np.uint8).tobytes().rstrip(b"\0"))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
