"""The variables of a Keras model as entries, by their paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from topograph.masks.judging import Judge
from topograph.masks.keras.int4 import unpack_kernel
from topograph.masks.keras.layers import KerasLayer, owner_of, weight_parts
from topograph.masks.name_order import natural
from topograph.masks.source import Entry
from topograph.masks.weights import Stored, Weight, join, spread_shape, too_few_dimensions
from topograph.matrices import tensor_values

_QUANTIZED = ("_scale", "_zero")


def keras_entries(variables: Mapping[str, Stored], layers: Mapping[str, KerasLayer]) -> Iterator[Entry]:
    """Entries for a model's variables, named by their paths, in the order of its layers."""
    places = {path: owner_of(path, layers)[0] for path in variables}
    ordered = sorted(variables, key=lambda path: (places[path], [] if layers else natural(path)))
    variables = {path: unpack_kernel(path, variables, owner_of(path, layers)[1]) for path in ordered}
    judge = Judge(variables)
    mask_of = {}
    for path in ordered:
        stored = variables[path]
        if len(stored.shape) > 1 and not stored.problem:
            masks = (name for name in _mask_names(path, variables) if _is_mask(variables.get(name), stored))
            mask_of[path] = next(masks, "")
    used = set(mask_of.values())
    for path in ordered:
        stored = variables[path]
        if path in used:
            continue
        problem = _hopeless(path) or stored.problem or too_few_dimensions(path, stored)
        if problem:
            yield Entry.left_out(path, problem)
            continue
        name, mask = _plain_name(path), mask_of[path]
        weight = join(name, stored, mask, variables[mask]) if mask else Weight(name, stored, note=stored.note)
        parts = weight_parts(owner_of(name, layers)[1], name, stored.shape)
        if isinstance(parts, str):
            yield weight.entry("", None, parts)
        else:
            reason = "" if "kernel" in path.rpartition("/")[2] and not path.endswith(_QUANTIZED) else judge.reason(path)
            for suffix, layout in parts:
                yield weight.entry(suffix, layout, reason)


def _is_mask(mask: Stored | None, weight: Stored) -> bool:
    return mask is not None and not mask.problem and spread_shape(mask.shape, weight.shape) is not None


def _mask_names(path: str, variables: Mapping[str, Stored]) -> Iterator[str]:
    """Names that the mask of a kernel may have: beside it, or where a pruning wrapper keeps it."""
    layer, _, weight = path.rpartition("/")
    stem, colon, number = weight.partition(":")
    if "kernel" in stem and "mask" not in stem:
        above, _, own = layer.rpartition("/")
        for folder in (layer, above, f"prune_low_magnitude_{own}"):
            yield from (f"{folder}/{name}{colon}{number}" for name in ("mask", f"{stem}_mask"))


def _plain_name(path: str) -> str:
    return path.partition(":")[0]


def _hopeless(path: str) -> str:
    return "is the optimizer's state" if path.startswith(("optimizer/", "optimizer_weights/")) else ""


def variable_path(model: Any, variable: Any) -> str:
    """A variable's path without the model's own name before it: as the model's files name it."""
    path: str = variable.path
    names = {layer.name for layer in model.layers}
    first = path.split("/")[0]
    return path.removeprefix(f"{model.name}/") if first == model.name and first not in names else path


def variable_values(variable: Any) -> Any:
    """A variable's values as an array, whatever the backend."""
    value = variable.value
    if hasattr(value, "detach"):  # the PyTorch backend
        return tensor_values(value)
    values = np.asarray(value)
    return values if values.dtype.kind in "biuf" else values.astype(np.float32)  # bfloat16, exactly
