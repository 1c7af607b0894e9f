"""State dicts, also deep in a checkpoint or a pickled model, as sources."""

from __future__ import annotations

from collections import Counter
from typing import Any

from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.archive import TorchArchive
from topograph.masks.torch.leaves import leaves
from topograph.masks.torch.pickled_tensors import Tensor, Unreadable
from topograph.masks.torch.pickles import Inert
from topograph.masks.torch.tensors import stored_tensor
from topograph.masks.weights import Stored


def state_source(label: str, loaded: Any, name: str = "tensor", archive: TorchArchive | None = None) -> Source:
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
    """
    tensors: dict[str, Stored] = {}
    repeated: Counter[str] = Counter()
    for path, value in leaves(loaded):
        free = path or name
        while free in tensors:  # two members of one name are both kept
            repeated[path] += 1
            free = f"{path or name} ({repeated[path] + 1})"
        tensors[free] = _stored(value, archive)
    return Source(label, tuple(state_entries(tensors)))


def _stored(value: Any, archive: TorchArchive | None) -> Stored:
    if isinstance(value, Unreadable):
        return Stored(value.shape, lambda: None, value.reason)
    if archive is not None and isinstance(value, Tensor):
        return archive.stored(value)
    if hasattr(value, "is_meta"):
        return stored_tensor(value)
    kind = f"{value!s:.200}, which is not executed" if isinstance(value, Inert) else type(value).__name__
    return Stored((), lambda: None, f"is not a tensor but {kind}")
