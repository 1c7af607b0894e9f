"""State dicts, also deep in a checkpoint or a pickled model, as sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.archive import Tensor, TorchArchive, Unreadable, leaves
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
    for path, value in leaves(loaded):
        tensors[_free_name(path or name, tensors)] = _stored(value, archive)
    return Source(label, tuple(state_entries(tensors)))


def _stored(value: Any, archive: TorchArchive | None) -> Stored:
    if isinstance(value, Unreadable):
        return Stored(value.shape, lambda: None, value.reason)
    if archive is not None and isinstance(value, Tensor):
        return archive.stored(value)
    if hasattr(value, "is_meta"):
        return stored_tensor(value)
    kind = str(value)[:200] if isinstance(value, Inert) else type(value).__name__
    return Stored((), lambda: None, f"is not a tensor but {kind}")


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number behind it where something else has it: two members of one name are both kept."""
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
