"""`unpack`: packed weights of which several lie in one stored number, or beside a bitmask, by sibling names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.limits import SMALL, check_expansion
from topograph.masks.packed.bits import Result
from topograph.masks.packed.bitsandbytes import bitsandbytes
from topograph.masks.packed.compressed_tensors import bitmask, weight_packed
from topograph.masks.packed.gptq_awq import qweight
from topograph.masks.packed.mlx import mlx
from topograph.masks.packed.mxfp4 import mxfp4_blocks
from topograph.masks.packed.zero_points import zero_points
from topograph.masks.weights import Stored

_SCALES = ("scale", "scales", "absmax", "zero", "zeros", "zero_point", "SCB", "quant_state", "quant_map", "codebooks")
_STORAGES: dict[str, Callable[[str, Mapping[str, Stored], Mapping[str, Any]], Result]] = {
    ".bitmask": bitmask,
    ".qweight": qweight,
    ".absmax": bitsandbytes,
    ".scales": mlx,
    "_packed": weight_packed,
    "_blocks": mxfp4_blocks,
    "_zero_point": zero_points,
}
_ANCHORS = tuple(_STORAGES)


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


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("quantization", "quantization_config"):
        value = config.get(key)
        if isinstance(value, Mapping):
            found.update(value)
    return found


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
