"""The variables of a Keras model as entries, by their paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from topograph.masks.keras.layers import KerasLayer, owner_of, weight_parts
from topograph.masks.name_order import natural
from topograph.masks.source import Entry
from topograph.masks.weights import Stored, paired


def keras_entries(variables: Mapping[str, Stored], layers: Mapping[str, KerasLayer]) -> Iterator[Entry]:
    """Entries for a model's variables, named by their paths, in the order of its layers."""
    places = {path: owner_of(path, layers)[0] for path in variables}
    ordered = sorted(variables, key=lambda path: (places[path], [] if layers else natural(path)))
    for item in paired({path: variables[path] for path in ordered}, _mask_names, _plain_name, _hopeless):
        if isinstance(item, Entry):
            yield item
            continue
        parts = weight_parts(owner_of(item.name, layers)[1], item.name, item.values.shape)
        if isinstance(parts, str):
            yield item.entry("", None, parts)
        else:
            for suffix, layout in parts:
                yield item.entry(suffix, layout)


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
