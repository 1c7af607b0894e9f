"""PyTorch tensors as NumPy arrays or SciPy matrices."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import scipy.sparse as sp

from topograph.limits import check_expansion, check_nodes
from topograph.masks.weights import Stored
from topograph.packages import require


def stored_tensor(tensor: Any, file_bytes: int | None = None) -> Stored:
    """A tensor as an item of a state dict; one from a file is held to what the file can hold."""
    torch = require("torch", "torch")
    shape = tuple(tensor.shape)
    if tensor.is_meta:
        return Stored(shape, lambda: None, "is on the device 'meta', without values")
    if tensor.is_complex():
        return Stored(shape, lambda: None, f"holds {tensor.dtype}, but a mask holds booleans, integers or floats")
    if file_bytes is not None and len(shape) > 1:
        if tensor.layout == torch.strided:
            # strides of zero give any shape to a few bytes
            expanded = math.prod(shape) * tensor.element_size()
            check_expansion("a tensor", tensor.untyped_storage().nbytes(), expanded)
        else:
            check_nodes(shape, file_bytes)
    return Stored(shape, partial(tensor_values, tensor))


def tensor_values(tensor: Any) -> Any:
    """The values of a tensor: an array, or a COO matrix for any of the sparse layouts."""
    torch = require("torch", "torch")
    tensor = tensor.detach().cpu()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout == torch.strided:
        return _array(torch, tensor)
    if tensor.dim() != 2:
        return _array(torch, tensor.to_dense())
    coordinates = tensor.to_sparse_coo().coalesce()
    rows, columns = coordinates.indices().numpy()
    return sp.coo_array((_array(torch, coordinates.values()), (rows, columns)), shape=tuple(tensor.shape))


def _array(torch: Any, tensor: Any) -> Any:
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.to(torch.float32)  # bfloat16 and the 8-bit floats, which NumPy does not know; exact
    return tensor.resolve_neg().numpy()
