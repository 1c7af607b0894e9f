"""`as_matrix`: one rule for all doors on what an array, a sparse matrix or a tensor holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidMaskError


def as_matrix(value: Any) -> Any:
    """Anything that holds numbers as a NumPy array or a SciPy COO matrix, its meaning kept.

    A masked entry of a `numpy.ma.MaskedArray` is a zero: it stands for a weight that was pruned. Entries of a sparse
    matrix that repeat are added in a type that does not wrap around. bfloat16 and other number formats that NumPy does
    not know become float32. A PyTorch tensor is detached and copied to the processor.

    Raises
    ------
    InvalidMaskError
        When the object cannot be read as numbers.

    Examples
    --------
    >>> as_matrix(np.ma.masked_array([1.0, 2.0], mask=[True, False])).tolist()
    [0.0, 2.0]
    """
    if sp.issparse(value):
        return _coordinates(value)
    if is_tensor(value):
        return tensor_values(value)
    if isinstance(value, np.ma.MaskedArray):
        try:
            return value.filled(0)
        except (TypeError, ValueError) as error:
            raise InvalidMaskError(f"cannot read a masked array of {value.dtype}: {error}") from error
    try:
        array = np.asarray(value)
    except Exception as error:  # an object of another library raises what it likes
        raise InvalidMaskError(f"cannot read {type(value).__name__} as a matrix: {str(error)[:200]}") from error
    return _plain(array)


def is_zero(weight: Any) -> bool:
    """Whether the weight on an edge says that there is none: the number 0, as in a matrix."""
    return isinstance(weight, (int, float, np.number)) and weight == 0


def is_tensor(value: Any) -> bool:
    """Whether an object is a PyTorch tensor, found without importing PyTorch."""
    return hasattr(value, "is_meta") and hasattr(value, "untyped_storage")


def tensor_values(tensor: Any) -> Any:
    """The values of a PyTorch tensor: an array, or a COO matrix for any of the sparse layouts of two dimensions.

    Raises
    ------
    InvalidMaskError
        When the tensor has no values here, or keeps them in a way that only its own library knows.
    """
    if tensor.is_meta:
        raise InvalidMaskError("is on the device 'meta', without values")
    try:
        tensor = tensor.detach().cpu()
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        layout = str(tensor.layout)
        if layout == "torch.strided":
            return _tensor_array(tensor)
        if tensor.dim() != 2 or tensor.dense_dim():
            return _tensor_array(tensor.to_dense())
        coordinates = tensor if layout == "torch.sparse_coo" else tensor.to_sparse_coo()
        rows, columns = coordinates._indices().numpy()
        values = _tensor_array(coordinates._values())
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise InvalidMaskError(f"cannot read {type(tensor).__name__} as a matrix: {str(error)[:200]}") from error
    return _coordinates(sp.coo_array((values, (rows, columns)), shape=tuple(tensor.shape)))


def _tensor_array(tensor: Any) -> npt.NDArray[Any]:
    if tensor.is_floating_point() and str(tensor.dtype) not in ("torch.float16", "torch.float32", "torch.float64"):
        tensor = tensor.float()  # bfloat16 and the 8-bit floats, which NumPy does not know; exact
    return np.asarray(tensor.resolve_neg().numpy())


def _coordinates(matrix: Any) -> Any:
    """A sparse matrix of two dimensions as coordinates, with repeated entries added up."""
    try:
        coordinates = matrix.tocoo()
    except (ValueError, IndexError) as error:  # its arrays contradict each other
        raise InvalidMaskError(f"cannot read {type(matrix).__name__} as a matrix: {error}") from error
    data = _plain(np.asarray(coordinates.data))
    places = coordinates.coords if hasattr(coordinates, "coords") else (coordinates.row, coordinates.col)
    if data.dtype.kind in "iu" and data.dtype.itemsize < 8:
        data = data.astype(np.int64)
    summed = sp.coo_array((data, tuple(places)), shape=matrix.shape)
    if summed.ndim == 2:
        summed.sum_duplicates()
    return summed


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers of a type that NumPy knows; others, such as ml_dtypes' bfloat16, as float32.

    Numbers that are kept as objects, as by columns of pandas that may have gaps, become numbers.
    """
    if array.dtype.kind == "O" and array.ndim:
        odd = next((one for one in array.flat if not isinstance(one, (bool, int, float, np.number, np.bool_))), None)
        if odd is not None or None in array.flat:
            raise InvalidMaskError(
                f"holds objects of type {type(odd).__name__}, but a mask holds booleans, integers or floats"
            )
        return np.array(array.tolist())
    if array.dtype.kind != "V" or array.dtype.names is not None or array.dtype.itemsize > 2:
        return array
    try:
        return array.astype(np.float32)
    except (TypeError, ValueError):
        return array
