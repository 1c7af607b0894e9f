"""`TorchArchive`: a PyTorch file, read without PyTorch: a zip archive, or the older stream of pickles."""

from __future__ import annotations

import math
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.limits import Budget, check_expansion, check_nodes, check_one_directory
from topograph.masks.dtypes import KNOWN, decode, raw_dtype
from topograph.masks.packed import unpacked_floats
from topograph.masks.torch.pickled_tensors import (
    PickledArray,
    SparseTensor,
    Storage,
    Strided,
    Tensor,
    Unreadable,
    rebuild,
)
from topograph.masks.torch.pickles import Global, read_pickle
from topograph.masks.weights import Stored

_LONGEST_PICKLE = 256 << 20
_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "QInt8Storage": "I8", "QUInt8Storage": "U8", "QInt32Storage": "I32",
    "UntypedStorage": "U8",
}  # fmt: skip
_WIDTHS = {"ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1}


class TorchArchive:
    """One PyTorch file: what it holds, and the bytes of its storages.

    Nothing in it is executed, and no library parses it but ours: the pickle is data (`read_pickle`), each storage is
    read at its place in the file, and every size is checked before it is allocated.

    Parameters
    ----------
    path
        A file that ``torch.save`` or ``torch.jit.save`` wrote.

    Raises
    ------
    InvalidMaskError
        When it is not such a file, damaged, or claims more than it can hold.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        self.budget = Budget(self.size)
        self._places: dict[str, tuple[int, int]] = {}
        """Key of a storage → its first byte in the file, and its bytes."""
        self.is_script = False
        self.content = self._zipped() if zipfile.is_zipfile(path) else self._streamed()

    def _zipped(self) -> Any:
        check_one_directory(self.path)
        with zipfile.ZipFile(self.path) as archive, self.path.open("rb") as file:
            members = {member.filename: member for member in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise InvalidMaskError("the archive has two members of one name")
            pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise InvalidMaskError("is a zip archive without a single data.pkl, so it is not a PyTorch file")
            root = pickles[0].removesuffix("data.pkl")
            self.is_script = f"{root}constants.pkl" in members
            for name, member in members.items():
                if member.flag_bits & 0x1:
                    raise InvalidMaskError(f"the member {name!r} is encrypted")
                if name.startswith(f"{root}data/") or name == pickles[0]:
                    if member.compress_type != zipfile.ZIP_STORED:
                        raise InvalidMaskError(f"the member {name!r} is compressed, which torch.save never does")
                    place = _place(file, member, self.size)
                    self._places[name.removeprefix(f"{root}data/")] = place
                if name == f"{root}byteorder" and archive.read(member)[:6] == b"big":
                    raise InvalidMaskError("was written on a machine with the other byte order, which is not supported")
            start, length = self._places.pop(pickles[0])
            if length > _LONGEST_PICKLE:
                raise InvalidMaskError(f"the member {pickles[0]!r} has {length} bytes, more than {_LONGEST_PICKLE}")
            file.seek(start)
            return read_pickle(file.read(length), call=rebuild, persistent=self._persistent)[0]

    def _streamed(self) -> Any:
        """The format before PyTorch 1.6: five pickles, then the storages one after the other."""
        with self.path.open("rb") as file:
            view = memoryview(file.read(_LONGEST_PICKLE))
        magic, position = read_pickle(view)
        if magic != _MAGIC:
            raise InvalidMaskError("is not a PyTorch file: it begins with another pickle")
        _, position = read_pickle(view, position)
        about, position = read_pickle(view, position)
        if isinstance(about, dict) and about.get("little_endian") is False:
            raise InvalidMaskError("was written on a machine with the other byte order, which is not supported")
        sizes: dict[str, int] = {}
        content, position = read_pickle(view, position, call=rebuild, persistent=partial(self._persistent, seen=sizes))
        keys, position = read_pickle(view, position)
        if not isinstance(keys, list):
            raise InvalidMaskError("does not list its storages")
        with self.path.open("rb") as file:
            for key in keys:
                width = sizes.get(str(key))
                file.seek(position)
                count = int.from_bytes(file.read(8), "little", signed=True)
                position += 8
                if width is None or count < 0 or position + count * width > self.size:
                    raise InvalidMaskError(
                        f"the storage {str(key)[:80]!r} lies outside the file; the file is truncated"
                    )
                self._places[str(key)] = position, count * width
                position += count * width
        return content

    def _persistent(self, identifier: Any, seen: dict[str, int] | None = None) -> Storage:
        if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] != "storage":
            raise InvalidMaskError("refers to something that is not a storage")
        maker, key, count = identifier[1], str(identifier[2]), identifier[4]
        kind = maker.name if isinstance(maker, Global) else str(maker)
        kind = _STORAGES.get(kind, kind)
        if not isinstance(count, int) or count < 0:
            raise InvalidMaskError(f"the storage {key!r} claims {count!r} elements")
        if seen is not None:
            seen[key] = _WIDTHS.get(kind) or raw_dtype(kind).itemsize
        view = identifier[5] if len(identifier) > 5 else None
        offset = view[1] if isinstance(view, tuple) and len(view) == 3 and isinstance(view[1], int) else 0
        return Storage(kind, key, count, offset)

    def stored(self, tensor: Tensor) -> Stored:
        """A tensor of the file as an item of a state dict."""
        if isinstance(tensor, Unreadable):
            return Stored(tensor.shape, lambda: None, tensor.reason)
        if isinstance(tensor, PickledArray):
            code, bits = tensor.values.dtype.kind, 8 * tensor.values.dtype.itemsize
            named = "BOOL" if code == "b" else f"{code.upper()}{bits}"
            return Stored(tensor.values.shape, lambda: tensor.values, dtype=named)
        if isinstance(tensor, SparseTensor):
            check_nodes(tensor.shape, self.size)
            if len(tensor.shape) > 2:
                self.budget.claim("a sparse tensor", self.size, math.prod(tensor.shape) * 8)
            if isinstance(tensor.values, Strided) and _is_hybrid(tensor):
                reason = "is a hybrid sparse tensor, whose entries are whole rows; save it dense"
                return Stored(tensor.shape, lambda: None, reason)
            return Stored(tensor.shape, partial(self._sparse, tensor))
        if tensor.storage.kind == "F4_X2" and tensor.shape:
            packed = replace(tensor, storage=replace(tensor.storage, kind="U8"))
            return unpacked_floats(self.stored(packed))
        if tensor.storage.kind not in KNOWN:
            kind = tensor.storage.kind.removesuffix("Storage")
            reason = (
                f"holds {kind}, but a mask holds booleans, integers or floats"
                if "omplex" in kind
                else f"holds {kind}, a number format that cannot be read"
            )
            return Stored(tensor.shape, lambda: None, reason)
        _, span = self._window(tensor)
        width = raw_dtype(tensor.storage.kind).itemsize
        # strides of zero give any shape to a few bytes
        self.budget.claim("a tensor", span * width, math.prod(tensor.shape) * width)
        dtype = tensor.storage.kind if tensor.zero_point is None else "F32"
        return Stored(tensor.shape, partial(self._dense, tensor), dtype=dtype)

    def _window(self, tensor: Strided) -> tuple[int, int]:
        """First byte and number of elements that a tensor spans; checked against the file."""
        first, available = self._places.get(tensor.storage.key, (0, 0))
        width = raw_dtype(tensor.storage.kind).itemsize
        empty = 0 in tensor.shape
        span = 0 if empty else 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
        start = tensor.storage.offset + tensor.offset
        if start < 0 or (start + span) * width > available:
            raise InvalidMaskError(
                f"a tensor of shape {list(tensor.shape)} needs elements {start} to {start + span} of the storage "
                f"{tensor.storage.key!r}, but only {available // width} are there; the file is truncated"
            )
        return first + start * width, span

    def _dense(self, tensor: Strided) -> npt.NDArray[Any]:
        first, span = self._window(tensor)
        dtype = raw_dtype(tensor.storage.kind)
        with self.path.open("rb") as file:
            file.seek(first)
            flat = np.fromfile(file, dtype=dtype, count=span)
        if flat.size != span:
            raise InvalidMaskError("the file was cut short while it was read")
        strides = [step * dtype.itemsize for step in tensor.strides]
        shaped = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)
        values = decode(np.ascontiguousarray(shaped).reshape(tensor.shape), tensor.storage.kind)
        return values if tensor.zero_point is None else self._dequantized(tensor, values)

    def _dequantized(self, tensor: Strided, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Whole numbers whose zero is zero."""
        zero: Any = tensor.zero_point
        if isinstance(zero, Strided):
            zero = self._dense(zero)
            if not 0 <= tensor.axis < values.ndim or zero.shape != (values.shape[tensor.axis],):
                raise InvalidMaskError("a quantised tensor has zero points of another size than its axis")
            zero = zero.reshape([-1 if axis == tensor.axis else 1 for axis in range(values.ndim)])
        return np.asarray(values.astype(np.float64) - zero).astype(np.float32)

    def _part(self, tensor: Any) -> npt.NDArray[Any]:
        if not isinstance(tensor, Strided):
            raise InvalidMaskError("a sparse tensor has an index or values that are not dense tensors")
        return self._dense(tensor)

    def _sparse(self, tensor: SparseTensor) -> Any:
        """The tensor as a SciPy matrix, or dense where it has more dimensions; each index is checked first."""
        values = self._part(tensor.values)
        indices = [self._part(part) for part in tensor.indices]
        if any(part.dtype.kind not in "iu" for part in indices):
            raise InvalidMaskError("a sparse tensor has indices that are not whole numbers")
        if tensor.layout == "sparse_coo":
            return self._coordinates(tensor.shape, indices[0], values)
        if len(tensor.shape) != 2 or any(part.ndim != 1 for part in indices):
            raise InvalidMaskError("is a compressed sparse tensor of more than two dimensions, which is not read")
        by_rows = tensor.layout in ("sparse_csr", "sparse_bsr")
        pointers, places = (part.astype(np.int64) for part in indices)
        blocks = values.shape[1:] if tensor.layout in ("sparse_bsr", "sparse_bsc") else (1, 1)
        if (
            len(blocks) != 2
            or 0 in blocks
            or any(side % block for side, block in zip(tensor.shape, blocks, strict=True))
        ):
            raise InvalidMaskError(f"is a sparse tensor of shape {tensor.shape} in blocks of {blocks}")
        sides = [side // block for side, block in zip(tensor.shape, blocks, strict=True)]
        major, minor = sides if by_rows else sides[::-1]
        if pointers.shape != (major + 1,) or places.shape != values.shape[:1]:
            raise InvalidMaskError("is a sparse tensor whose index arrays do not fit its shape")
        if pointers[0] != 0 or pointers[-1] != len(places) or (np.diff(pointers) < 0).any():
            raise InvalidMaskError("is a sparse tensor whose pointers do not rise from 0 to its number of values")
        _check_range(places, minor)
        lines = np.repeat(np.arange(major), pointers[1:] - pointers[:-1])
        rows, columns = (lines, places) if by_rows else (places, lines)
        height, width = blocks
        inner_rows, inner_columns = np.indices(blocks)
        rows = (rows[:, None] * height + inner_rows.ravel()).ravel()
        columns = (columns[:, None] * width + inner_columns.ravel()).ravel()
        return sp.coo_array((values.ravel(), (rows, columns)), shape=tensor.shape)

    def _coordinates(self, shape: tuple[int, ...], indices: npt.NDArray[Any], values: npt.NDArray[Any]) -> Any:
        if indices.ndim != 2 or indices.shape[0] > len(shape) or indices.shape[1] != len(values):
            raise InvalidMaskError("is a sparse tensor whose indices do not fit its shape")
        dense = indices.shape[0]
        if values.shape[1:] != shape[dense:]:
            raise InvalidMaskError("is a sparse tensor whose values do not fit its shape")
        for axis, side in zip(indices, shape[:dense], strict=True):
            _check_range(axis, side)
        if len(shape) == 2 and dense == 2:
            return sp.coo_array((values, (indices[0], indices[1])), shape=shape)
        check_expansion("a sparse tensor", self.size, math.prod(shape) * 8)
        whole = np.zeros(shape, dtype=np.float64)
        np.add.at(whole, tuple(indices.astype(np.int64)), values)
        return whole


def _place(file: Any, member: zipfile.ZipInfo, size: int) -> tuple[int, int]:
    """Where the bytes of a member lie; its own header must agree with the archive's directory."""
    file.seek(member.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise InvalidMaskError(f"the member {member.filename!r} does not begin where the archive says")
    names, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    first = member.header_offset + 30 + names + extra
    if member.file_size != member.compress_size or first + member.file_size > size:
        raise InvalidMaskError(f"the member {member.filename!r} lies outside the file; the file is truncated")
    return first, member.file_size


def _check_range(indices: npt.NDArray[Any], side: int) -> None:
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= side):
        raise InvalidMaskError(
            f"is a sparse tensor with indices from {int(indices.min())} to {int(indices.max())} on a side of {side}"
        )


def _is_hybrid(tensor: SparseTensor) -> bool:
    """Whether each entry of a sparse tensor is itself a tensor."""
    n_dense = {"sparse_coo": 1, "sparse_csr": 1, "sparse_csc": 1}.get(tensor.layout, 3)
    return len(tensor.values.shape) > n_dense
