"""Keras weights in HDF5, read with HDF5 alone: the configuration is data, and no class in it is ever built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.dtypes import decode, raw_dtype
from topograph.masks.keras.layers import KerasLayer, guess_kind, owner_of
from topograph.masks.keras.variables import keras_entries
from topograph.masks.limits import check_expansion
from topograph.masks.name_order import natural
from topograph.masks.source import Entry
from topograph.masks.weights import Stored
from topograph.packages import require

_OPAQUE = {"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
_MOST_OBJECTS = 200_000


def hdf5_entries(file: Any, layers: dict[str, KerasLayer], size: int) -> Iterator[Entry]:
    """Every array of a file, in the order of the layers where that is known."""
    h5py = require("h5py", "keras")
    ordered = bool(layers)
    found: dict[str, Stored] = {}
    links: list[Entry] = []

    def see_link(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            links.append(Entry.left_out(name, f"is a link into another file, {link.filename!r}: not followed"))
        elif isinstance(link, h5py.SoftLink):
            links.append(Entry.left_out(name, "is a link: not followed"))

    def see(name: str, item: Any) -> None:
        if len(found) > _MOST_OBJECTS:
            raise InvalidMaskError(f"holds more than {_MOST_OBJECTS} arrays")
        if isinstance(item, h5py.Dataset):
            found[_variable_path(file, name, layers, size)] = _stored(item, size)

    file.visititems_links(see_link)
    file.visititems(see)
    # without a configuration the order of the layers is not known, and what is known of them came in any order
    by_name = {path: layers[path] for path in sorted(layers, key=natural)} if not ordered else layers
    yield from keras_entries(found, by_name)
    yield from links


def _variable_path(file: Any, name: str, layers: dict[str, KerasLayer], size: int) -> str:
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
        group = file.get("/".join([*prefix, "vars"]))
        given = None if group is None or prefix == ["optimizer"] else text_attribute(group, "name", size)
        if given is not None:
            path.append(given.decode("utf-8") if isinstance(given, bytes) else str(given))
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


def text_attribute(item: Any, name: str, size: int) -> Any:
    """A text attribute; None when there is none."""
    if name not in item.attrs:
        return None
    handle = item.attrs.get_id(name)
    if math.prod(handle.shape or ()) > 1 or handle.get_storage_size() > size:
        raise InvalidMaskError(f"the attribute {name!r} is not a single text")
    value = item.attrs[name]
    return value if isinstance(value, (str, bytes)) else None


def _stored(dataset: Any, size: int) -> Stored:
    shape = dataset.shape
    problem = ""
    if shape is None:
        problem = "is empty"
    elif dataset.external:
        problem = "lies in another file, which is not opened"
    elif dataset.is_virtual:
        problem = "is put together from other files, which are not opened"
    elif dataset.dtype.kind not in "biuf" and _opaque(dataset, size) is None:
        problem = f"holds {dataset.dtype}, not numbers"
    if problem:
        return Stored(tuple(shape or ()), lambda: None, problem)
    stored = min(dataset.id.get_storage_size(), size)
    check_expansion(f"the array {dataset.name!r}", stored, math.prod(shape) * dataset.dtype.itemsize)
    return Stored(tuple(int(side) for side in shape), partial(_values, dataset, _opaque(dataset, size)))


def _opaque(dataset: Any, size: int) -> str | None:
    """The number format of an array that HDF5 has no type for: Keras writes its name beside it."""
    name = text_attribute(dataset, "dtype", size) if dataset.dtype.kind == "V" else None
    found = _OPAQUE.get(name) if isinstance(name, str) else None
    return found if found and raw_dtype(found).itemsize == dataset.dtype.itemsize else None


def _values(dataset: Any, opaque: str | None) -> Any:
    values = np.asarray(dataset[()])
    return values if opaque is None else decode(values.view(raw_dtype(opaque)), opaque)
