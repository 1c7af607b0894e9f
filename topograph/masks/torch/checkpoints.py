"""State dicts, also deep in a checkpoint, as sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.tensors import stored_tensor
from topograph.masks.weights import Stored

_DEEPEST = 32


def state_source(label: str, loaded: Any, name: str = "tensor", file_bytes: int | None = None) -> Source:
    """A state dict, a checkpoint that holds one, or a lone tensor, as a source."""
    tensors = _flatten(loaded, "" if isinstance(loaded, Mapping) else name, file_bytes)
    return Source(label, tuple(state_entries(dict(tensors))))


def _flatten(value: Any, name: str, file_bytes: int | None, depth: int = 0) -> Iterator[tuple[str, Stored]]:
    if depth > _DEEPEST:
        raise InvalidMaskError(f"is nested more than {_DEEPEST} deep")
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else None
    )
    if pairs is not None:
        for key, item in pairs:
            yield from _flatten(item, f"{name}.{key}" if name else str(key), file_bytes, depth + 1)
    elif hasattr(value, "is_meta"):
        yield name, stored_tensor(value, file_bytes)
    else:
        yield name, Stored((), lambda: None, f"is not a tensor but a {type(value).__name__}")
