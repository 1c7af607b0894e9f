"""ONNX tensors, checked and read without their library's help; external data only from the model's folder."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.limits import check_nodes, check_shape, inside
from topograph.masks.dtypes import decode, raw_dtype
from topograph.masks.weights import Stored

# number of the data type → (our name for it, the field that holds it when it is not raw bytes)
_TYPES = {
    1: ("F32", "float_data"), 2: ("U8", "int32_data"), 3: ("I8", "int32_data"), 4: ("U16", "int32_data"),
    5: ("I16", "int32_data"), 6: ("I32", "int32_data"), 7: ("I64", "int64_data"), 9: ("BOOL", "int32_data"),
    10: ("F16", "int32_data"), 11: ("F64", "double_data"), 12: ("U32", "uint64_data"), 13: ("U64", "uint64_data"),
    16: ("BF16", "int32_data"), 17: ("F8_E4M3", "int32_data"), 19: ("F8_E5M2", "int32_data"),
}  # fmt: skip
_BIT_PATTERNS = ("F16", "BF16", "F8_E4M3", "F8_E5M2")
_EXTERNAL = 1


def stored_initializer(tensor: Any, folder: Path) -> Stored:
    """A tensor as an item that is read on demand; every claim is checked now.

    Raises
    ------
    InvalidMaskError
        When the shape does not fit the data, or the data lies outside the folder.
    """
    shape = check_shape(int(side) for side in tensor.dims)
    if tensor.data_type not in _TYPES:
        return Stored(shape, lambda: None, f"holds data type {tensor.data_type}, a number format that cannot be read")
    if tensor.HasField("segment"):
        return Stored(shape, lambda: None, "is stored in segments, which cannot be read")
    name, field = _TYPES[tensor.data_type]
    raw = raw_dtype(name)
    count = math.prod(shape)
    what = f"the tensor {tensor.name!r}"
    if tensor.data_location == _EXTERNAL:
        path, offset = _external(tensor, folder, what, count * raw.itemsize)
        return Stored(shape, partial(_from_file, path, offset, shape, name))
    if tensor.HasField("raw_data"):
        _check_size(what, shape, len(tensor.raw_data), count * raw.itemsize, "bytes")
        return Stored(shape, lambda: decode(np.frombuffer(tensor.raw_data, dtype=raw).reshape(shape), name))
    _check_size(what, shape, len(getattr(tensor, field)), count, "numbers")
    return Stored(shape, lambda: _from_field(getattr(tensor, field), shape, name, raw))


def sparse_initializer(tensor: Any, folder: Path) -> Stored:
    """A sparse tensor of two dimensions as a COO matrix."""
    shape = check_shape(int(side) for side in tensor.dims)
    values, places = stored_initializer(tensor.values, folder), stored_initializer(tensor.indices, folder)
    if len(shape) != 2 or values.problem or places.problem:
        return Stored(shape, lambda: None, values.problem or places.problem or "is sparse, but not a matrix")
    check_nodes(shape, tensor.ByteSize())

    def read() -> Any:
        where = np.asarray(places.read(), dtype=np.int64)
        rows, columns = where.T if where.ndim == 2 else np.divmod(where, max(shape[1], 1))
        return sp.coo_array((np.asarray(values.read()), (rows, columns)), shape=shape)

    return Stored(shape, read)


def _external(tensor: Any, folder: Path, what: str, needed: int) -> tuple[Path, int]:
    table = {entry.key: entry.value for entry in tensor.external_data}
    path = inside(folder, table.get("location"))
    size = path.stat().st_size
    try:
        offset = int(table.get("offset", "0"))
        length = int(table.get("length", str(needed)))
    except ValueError:
        raise InvalidMaskError(f"{what} must say its offset and length in whole numbers, but says {table}") from None
    if offset < 0 or length != needed or offset + needed > size:
        raise InvalidMaskError(
            f"{what} needs {needed} bytes, but claims {length} at {offset} of {path.name}, which has {size}"
        )
    return path, offset


def _from_file(path: Path, offset: int, shape: tuple[int, ...], name: str) -> Any:
    with path.open("rb") as file:
        file.seek(offset)
        values = np.fromfile(file, dtype=raw_dtype(name), count=math.prod(shape))
    return decode(values.reshape(shape), name)


def _from_field(numbers: Any, shape: tuple[int, ...], name: str, raw: np.dtype[Any]) -> Any:
    if name in _BIT_PATTERNS:
        bits = np.array(numbers, dtype=np.int64).astype(f"<u{raw.itemsize}")
        return decode(bits.view(raw).reshape(shape), name)
    return np.array(numbers).astype(raw).reshape(shape)


def _check_size(what: str, shape: tuple[int, ...], there: int, needed: int, unit: str) -> None:
    if there != needed:
        raise InvalidMaskError(f"{what} claims shape {list(shape)}, {needed} {unit}, but {there} are there")
