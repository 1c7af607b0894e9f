"""Keras weights in HDF5: the configuration is data, and no class in it is ever built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from topograph.limits import Budget
from topograph.masks.dtypes import decode, raw_dtype
from topograph.masks.keras.hdf5_file import Hdf5Array, Hdf5File
from topograph.masks.keras.layers import KerasLayer, guess_kind, owner_of
from topograph.masks.keras.variables import keras_entries
from topograph.masks.name_order import natural
from topograph.masks.source import Entry
from topograph.masks.weights import Stored

_OPAQUE = {"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}


def hdf5_entries(file: Hdf5File, layers: dict[str, KerasLayer]) -> Iterator[Entry]:
    """Every array of a file, in the order of the layers where that is known.

    Parameters
    ----------
    file
        An open file.
    layers
        Path of a layer → what the configuration says of it; layers without a configuration are added.
    """
    ordered = bool(layers)
    budget = Budget(file.size)
    variables: dict[str, Stored] = {}
    repeated: list[Entry] = []
    for array in file.arrays:
        name = _variable_path(file.names, array.path, layers)
        if name in variables:
            repeated.append(Entry.left_out(array.path, f"has the name of another array, {name!r}"))
            continue
        variables[name] = _stored(file, array, budget)
    # without a configuration the order of the layers is not known, and what is known of them came in any order
    by_name = {path: layers[path] for path in sorted(layers, key=natural)} if not ordered else layers
    yield from keras_entries(variables, by_name)
    yield from repeated
    yield from (Entry.left_out(path, reason) for path, reason in file.links)


def _variable_path(names: Mapping[str, str], name: str, layers: dict[str, KerasLayer]) -> str:
    """The path that the model knows a variable by; newer files number variables, an attribute names their group."""
    parts = name.split("/")
    if parts[0] == "model_weights" and len(parts) > 2:
        return "/".join(_without_model(parts[2:], parts[1], layers))
    if len(parts) < 2 or parts[-2] != "vars":
        return name
    prefix: list[str] = []
    path: list[str] = []
    for part in parts[:-2]:
        prefix.append(part)
        given = None if prefix == ["optimizer"] else names.get("/".join([*prefix, "vars"]))
        if given is not None:
            path.append(given)
        elif part != "layers":
            path.append(part)
    owner = "/".join(path)
    if not owner_of(f"{owner}/_", layers)[1].kind:  # no configuration: the groups are named for the classes
        layers[owner] = KerasLayer(guess_kind(prefix))
    number = int(parts[-1]) if parts[-1].isdecimal() and len(parts[-1]) < 9 else None
    variable = parts[-1] if number is None else owner_of(f"{owner}/_", layers)[1].variable_name(number)
    return f"{owner}/{variable}" if owner else variable


def _without_model(parts: Sequence[str], layer: str, layers: Mapping[str, KerasLayer]) -> Sequence[str]:
    """Older files may put the model's own name before the layer's."""
    if layer in layers and parts[0] != layer and layer in parts:
        return parts[parts.index(layer) :]
    return parts


def _stored(file: Hdf5File, array: Hdf5Array, budget: Budget) -> Stored:
    opaque = _OPAQUE.get(array.named or "")
    if opaque and raw_dtype(opaque).itemsize != array.dtype.itemsize:
        opaque = None
    problem = array.problem
    if not problem and array.dtype.kind == "V" and opaque is None:
        problem = f"holds {array.dtype}, not numbers"
    if problem:
        return Stored(array.shape, lambda: None, problem)
    budget.claim(f"the array {array.path!r}", array.stored, math.prod(array.shape) * array.dtype.itemsize)
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    dtype = f"{kind.upper()}{bits}" if kind in "iuf" else opaque or ""
    return Stored(array.shape, partial(_values, file, array, opaque), dtype=dtype)


def _values(file: Hdf5File, array: Hdf5Array, opaque: str | None) -> Any:
    values = file.read(array)
    return values if opaque is None else decode(values.view(raw_dtype(opaque)), opaque)
