"""State dicts, also deep in a checkpoint or a pickled model, as sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.archive import TorchArchive
from topograph.masks.torch.leaves import leaves
from topograph.masks.torch.pickled_tensors import Tensor, Unreadable
from topograph.masks.torch.pickles import Inert
from topograph.masks.torch.tensors import stored_tensor
from topograph.masks.weights import Stored
from topograph.matrices import as_matrix, is_tensor


def state_source(
    label: str,
    loaded: Any,
    name: str = "tensor",
    archive: TorchArchive | None = None,
    config: Mapping[str, Any] | None = None,
) -> Source:
    """A state dict, a checkpoint that holds one, or a lone tensor, as a source.

    Parameters
    ----------
    label
        What errors call it.
    loaded
        Containers and tensors: live ones, or those of ``archive``.
    name
        Name of a lone tensor.
    archive
        File that the tensors are in.
    config
        The model's configuration, where one lies beside the file.
    """
    return Source(label, tuple(state_entries(tensor_table(loaded, name, archive), config=config)))


def tensor_table(loaded: Any, name: str = "tensor", archive: TorchArchive | None = None) -> dict[str, Stored]:
    """Every leaf of nested containers by its path; ``name`` is for one that lies in no container."""
    tensors: dict[str, Stored] = {}
    repeated: Counter[str] = Counter()
    for path, value in leaves(loaded):
        free = path or name
        while free in tensors:  # two members of one name are both kept
            repeated[path] += 1
            free = f"{path or name} ({repeated[path] + 1})"
        stored = _stored(value, archive)
        if free != (path or name) and not stored.problem:
            stored = replace(stored, note=f"the name {path or name!r} stands there more than once")
        tensors[free] = stored
    return tensors


def _stored(value: Any, archive: TorchArchive | None) -> Stored:
    if isinstance(value, Unreadable):
        return Stored(value.shape, lambda: None, value.reason)
    if archive is not None and isinstance(value, Tensor):
        return archive.stored(value)
    if is_tensor(value):
        return stored_tensor(value)
    if hasattr(value, "__array__") or sp.issparse(value):
        return array_stored(value)
    kind = f"{value!s:.200}, which is not executed" if isinstance(value, Inert) else type(value).__name__
    return Stored((), lambda: None, f"is not a tensor but {kind}")


def array_stored(value: Any) -> Stored:
    """An array or a sparse matrix in memory as a named tensor."""
    try:
        matrix = as_matrix(value)
    except InvalidMaskError as error:
        return Stored((), lambda: None, str(error))
    kind, bits = matrix.dtype.kind, 8 * matrix.dtype.itemsize
    dtype = "BOOL" if kind == "b" else f"{kind.upper()}{bits}" if kind in "iuf" else ""
    return Stored(tuple(matrix.shape), lambda: matrix, dtype=dtype)
