"""Live PyTorch tensors as named tensors."""

from __future__ import annotations

from functools import partial
from typing import Any

from topograph.masks.packed import unpacked_floats
from topograph.masks.torch.pickled_tensors import DTYPES
from topograph.masks.weights import Stored
from topograph.matrices import tensor_values
from topograph.packages import require


def stored_tensor(tensor: Any) -> Stored:
    """A live tensor as a named tensor, read when it is asked for."""
    torch = require("torch", "torch")
    if torch.nn.parameter.is_lazy(tensor):
        return Stored(
            (), lambda: None, "has no shape yet, as a lazy layer's before its first sample; run the model once"
        )
    if tensor.is_nested:
        return Stored(
            (), lambda: None, "is a nested tensor, whose rows differ in length; a mask has one length for all"
        )
    shape = tuple(tensor.shape)
    dtype = DTYPES.get(str(tensor.dtype).removeprefix("torch."), "")
    problem = ""
    if tensor.is_meta:
        problem = "is on the device 'meta', without values"
    elif tensor.is_complex():
        problem = f"holds {tensor.dtype}, but a mask holds booleans, integers or floats"
    elif _is_wrapper(torch, tensor):
        problem = f"is a {type(tensor).__name__}, whose storage only its own library knows"
    elif tensor.layout != torch.strided:
        if tensor.dense_dim() > 0:
            problem = "is a hybrid sparse tensor, whose entries are whole rows; make it dense"
    elif not dtype and not tensor.is_quantized:
        problem = f"holds {tensor.dtype}, a number format that cannot be read"
    if dtype == "F4_X2" and not problem:
        return unpacked_floats(Stored(shape, lambda: tensor.detach().cpu().view(torch.uint8).numpy(), dtype=dtype))
    return Stored(shape, partial(tensor_values, tensor), problem, dtype)


def _is_wrapper(torch: Any, tensor: Any) -> bool:
    """Whether the tensor is a subclass that keeps its values in tensors of its own."""
    return type(tensor) not in (torch.Tensor, torch.nn.Parameter) and hasattr(type(tensor), "__tensor_flatten__")
