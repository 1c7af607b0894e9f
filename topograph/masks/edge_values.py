"""Layers that are stored as edges, as `topograph.torch.SparseLinear` is: values with a CSR pattern beside them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.doors import LARGEST_SIDE
from topograph.errors import InvalidMaskError
from topograph.masks.weights import Stored

_PARTS = ("values", "indptr", "indices", "shape")


def join_edges(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """Replace the four parts of each such layer by its weight, ``(outputs, inputs)``, and its mask.

    The mask says that an edge is one even where its value is 0.
    """
    joined: dict[str, Stored] = {}
    for name, stored in tensors.items():
        prefix, _, part = name.rpartition(".")
        start = f"{prefix}." if prefix else ""
        parts = [tensors[start + one] for one in _PARTS if start + one in tensors]
        sides = _sides(parts) if part in _PARTS and len(parts) == len(_PARTS) else None
        if sides is None:
            joined[name] = stored
            continue
        read = partial(_matrix, parts, sides)
        joined[f"{start}weight"] = Stored(sides[::-1], partial(read, False), dtype=parts[0].dtype)
        joined[f"{start}weight_mask"] = Stored(sides[::-1], partial(read, True), dtype="BOOL")
    return joined


def _sides(parts: list[Stored]) -> tuple[int, int] | None:
    """The numbers of inputs and outputs; None when these are not the parts of a layer."""
    values, indptr, indices, shape = parts
    if shape.shape != (2,) or len(values.shape) != 1 or values.shape != indices.shape or shape.problem:
        return None
    sides = np.asarray(shape.read())
    if sides.dtype.kind not in "iu" or not ((sides > 0) & (sides <= LARGEST_SIDE)).all():
        return None
    return (int(sides[0]), int(sides[1])) if indptr.shape == (int(sides[0]) + 1,) else None


def _matrix(parts: list[Stored], sides: tuple[int, int], ones: bool) -> Any:
    values, indptr, indices = (np.asarray(part.read()) for part in parts[:3])
    try:
        matrix = sp.csr_array((np.ones(len(values), bool) if ones else values, indices, indptr), shape=sides)
        matrix.check_format()
    except ValueError as error:
        raise InvalidMaskError(f"its pattern is not one in CSR: {error}") from error
    return matrix.T.tocoo()
