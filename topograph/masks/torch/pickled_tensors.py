"""Tensors as a PyTorch pickle describes them: where their numbers lie, their shape, and what stands for zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.masks.torch.pickles import Global, Inert

_MOST_DIMENSIONS = 32
DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0", "float4_e2m1fn_x2": "F4_X2", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
}  # fmt: skip
"""PyTorch's names of number formats → ours."""


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file."""

    kind: str
    """Number format, as in `topograph.masks.dtypes`; the name of PyTorch's storage class where it is unknown."""
    key: str
    count: int
    offset: int = 0
    """Elements before the first one of a view."""


@dataclass(frozen=True)
class Unreadable:
    """A tensor whose values cannot be had, and why."""

    reason: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Strided:
    """A dense tensor: a window onto a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    zero_point: Any = None
    """What stands for zero: a number, or a tensor with one number per entry of the axis ``axis``."""
    axis: int = 0


@dataclass(frozen=True)
class SparseTensor:
    """A sparse tensor in one of PyTorch's layouts: its index tensors and its values."""

    layout: str
    shape: tuple[int, ...]
    indices: tuple[Any, ...]
    values: Any


@dataclass(frozen=True)
class PickledArray:
    """A NumPy array inside a pickle."""

    values: npt.NDArray[Any]


Tensor = Strided | SparseTensor | PickledArray | Unreadable
"""What `TorchArchive.stored` takes."""


def _sizes(values: Any) -> tuple[int, ...]:
    if isinstance(values, Inert) and str(values.maker) == "torch.Size":
        values = values.arguments[0] if values.arguments else ()
    if not isinstance(values, (tuple, list)) or len(values) > _MOST_DIMENSIONS:
        raise InvalidMaskError("a tensor has a shape that is not a list of sizes")
    for side in values:
        if isinstance(side, bool) or not isinstance(side, int) or not 0 <= side < 1 << 62:
            raise InvalidMaskError(f"a tensor has the sizes or strides {list(values)[:8]}")
    return tuple(values)


def _strided(storage: Any, offset: Any, size: Any, stride: Any, kind: str | None = None, **more: Any) -> Any:
    shape, strides = _sizes(size), _sizes(stride)
    if len(shape) != len(strides) or isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        raise InvalidMaskError(f"a tensor of shape {list(shape)} has other strides or a wrong offset")
    if not isinstance(storage, Storage):
        return Unreadable("has no storage in the file", shape)
    if kind is not None:
        storage = Storage(kind, storage.key, storage.count, storage.offset)
    return Strided(storage, offset, shape, strides, **more)


def _dtype(value: Any) -> str:
    name = value.name if isinstance(value, Global) else str(value)
    return DTYPES.get(name, name)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Any:
    return _strided(storage, offset, size, stride)


def _typed_tensor(storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any) -> Any:
    return _strided(storage, offset, size, stride, _dtype(dtype))


def _quantized(storage: Any, offset: Any, size: Any, stride: Any, quantizer: Any, *_: Any) -> Any:
    scheme = str(quantizer[0]) if isinstance(quantizer, tuple) and quantizer else ""
    if scheme == "torch.per_tensor_affine" and isinstance(quantizer[2], int):
        return _strided(storage, offset, size, stride, zero_point=quantizer[2])
    if scheme.startswith("torch.per_channel_affine") and len(quantizer) == 4 and isinstance(quantizer[3], int):
        return _strided(storage, offset, size, stride, zero_point=quantizer[2], axis=quantizer[3])
    return Unreadable("is quantised in a way that is not read", _sizes(size))


def _sparse_tensor(layout: Any, data: Any, *_: Any) -> Any:
    name = layout.arguments[0] if isinstance(layout, Inert) and layout.arguments else layout
    name = str(name).removeprefix("torch.")
    if not isinstance(data, tuple) or len(data) < 3:
        raise InvalidMaskError("a sparse tensor has no indices, values and size")
    if name == "sparse_coo":
        return SparseTensor(name, _sizes(data[2]), (data[0],), data[1])
    if name in ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc") and len(data) >= 4:
        return SparseTensor(name, _sizes(data[3]), (data[0], data[1]), data[2])
    return Unreadable(f"has the layout {name[:40]}, which is not read")


def _from_type(function: Any, kind: Any, arguments: Any, state: Any, *_: Any) -> Any:
    """A subclass of Tensor: what its own constructor would give, or an object with that state."""
    made = rebuild(function, arguments) if isinstance(function, Global) and isinstance(arguments, tuple) else None
    if isinstance(made, (Strided, SparseTensor)):
        return made
    return Inert(kind, arguments, state)


def _meta(dtype: Any, size: Any, *_: Any) -> Any:
    return Unreadable("is on the device 'meta', without values", _sizes(size))


def _reconstruct(*_: Any) -> Any:
    return Inert(Global("numpy", "ndarray"))


def _bytes(text: Any, *_: Any) -> Any:
    return text.encode("latin-1", "replace") if isinstance(text, str) else text


def _dictionary(*arguments: Any) -> Any:
    return dict(arguments[-1]) if arguments and isinstance(arguments[-1], dict) else {}


def _first(data: Any, *_: Any) -> Any:
    return data


_RECIPES: Mapping[str, Any] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_sparse_tensor": _sparse_tensor,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_device_tensor_from_numpy": _first,
    "torch._tensor._rebuild_from_type": _from_type,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.Size": _first,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": _dictionary,
    "collections.Counter": _dictionary,
    "_codecs.encode": _bytes,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}


def rebuild(function: Any, arguments: Any) -> Any:
    """The value of a call in a PyTorch pickle: a tensor, a container, or an inert object; nothing is executed."""
    recipe = _RECIPES.get(str(function)) if isinstance(function, Global) else None
    if recipe is None:
        return Inert(function, arguments)
    try:
        return recipe(*arguments)
    except (TypeError, ValueError, IndexError) as error:  # this tensor's own trouble: the others still stand
        return Unreadable(f"cannot be rebuilt: {str(error)[:160]}")


def numpy_array(value: Inert) -> PickledArray | Unreadable:
    """The array of a pickled ``numpy.ndarray``."""
    state = value.state
    if not isinstance(state, tuple) or len(state) != 5:
        return Unreadable("is a NumPy array without its values")
    _, shape, dtype, by_columns, raw = state
    code = dtype.arguments[0] if isinstance(dtype, Inert) and dtype.arguments else None
    order = (
        dtype.state[1] if isinstance(dtype, Inert) and isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    )
    if not isinstance(code, str) or code[:1] not in "biuf" or not code[1:].isdecimal() or len(code) > 3:
        return Unreadable(f"is a NumPy array of {str(code)[:20]}, not of numbers")
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    try:
        kind = np.dtype((order if order in "<>|=" else "<") + code)
        shape = _sizes(shape)
        if not isinstance(raw, bytes) or len(raw) != math.prod(shape) * kind.itemsize:
            return Unreadable("is a NumPy array of another size than it says", shape)
        values = np.frombuffer(raw, dtype=kind).reshape(shape, order="F" if by_columns else "C")
    except (TypeError, ValueError) as error:
        return Unreadable(f"cannot be rebuilt: {str(error)[:160]}")
    return PickledArray(values)
