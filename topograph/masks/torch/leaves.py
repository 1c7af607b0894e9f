"""`leaves`: everything in a checkpoint that is not a container, with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.masks.torch.pickled_tensors import SparseTensor, Strided, Unreadable, numpy_array
from topograph.masks.torch.pickles import Inert


def leaves(value: Any, deepest: int = 64, most: int = 2_000_000) -> Iterator[tuple[str, Any]]:
    """Everything in a checkpoint that is not a container, with its path; a shared container once.

    A pickled module gives the names of its state dict.
    """
    seen: dict[int, str] = {}
    left = most
    stack: list[tuple[Any, str, int]] = [(value, "", 0)]
    while stack:
        item, path, depth = stack.pop()
        left -= 1
        if left < 0:
            raise InvalidMaskError(f"holds more than {most} things")
        if isinstance(item, Inert) and str(item.maker) == "numpy.ndarray":
            yield path, numpy_array(item)
            continue
        pairs = _children(item)
        if pairs is None:
            yield path, item
            continue
        if id(item) in seen:
            yield path, Unreadable(f"is the same object as {seen[id(item)] or 'the file itself'}, which was read there")
            continue
        if depth > deepest:
            yield path, Unreadable(f"is nested more than {deepest} deep")
            continue
        seen[id(item)] = path
        stack.extend((child, _joined(path, key), depth + 1) for key, child in reversed(pairs))


def _joined(path: str, key: Any) -> str:
    text = str(key)
    return f"{path}.{text}" if path and text else path or text


def _children(item: Any) -> Sequence[tuple[Any, Any]] | None:
    """The parts of a container by their names; None for what is not one."""
    if isinstance(item, Mapping):
        return None if sp.issparse(item) else list(item.items())  # a matrix of SciPy's dok format is a mapping, too
    if isinstance(item, (list, tuple)):
        return list(enumerate(item))
    if not isinstance(item, Inert):
        return None
    state = item.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):  # __dict__ and __slots__
        state = {**state[0], **state[1]} if isinstance(state[0], dict) else state[1]
    if isinstance(state, dict):
        inner = [state.get(part) for part in ("_parameters", "_buffers", "_modules")]
        if all(isinstance(part, dict) for part in inner):  # a module: the names of its state dict
            return [pair for part in inner if isinstance(part, dict) for pair in part.items() if pair[1] is not None]
        return [*state.items(), *item.items.items()] or None
    pairs: list[tuple[Any, Any]] = list(item.items.items())
    if state is not None:
        pairs.append(("state", state))
    tensors = (Strided, SparseTensor)
    if not pairs and isinstance(item.arguments, tuple) and any(isinstance(part, tensors) for part in item.arguments):
        pairs = list(enumerate(item.arguments))  # rebuilt by a function that is not known here
    return pairs or None
