"""Keras files, read with zip and HDF5 alone: the configuration is data, and no class in it is ever built."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.dtypes import decode, raw_dtype
from topograph.masks.keras_layers import KerasLayer, guess_kind, layers_of_config, owner_of, weight_parts
from topograph.masks.limits import check_expansion, check_zip, member_file, parse_json
from topograph.masks.natural import natural
from topograph.masks.packages import require
from topograph.masks.source import Entry, Source
from topograph.masks.state_dicts import Stored, paired

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_OPAQUE = {"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
_MOST_OBJECTS = 200_000


class KerasReader:
    """A ``.keras`` archive: the configuration as JSON, the weights as HDF5."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """The weights by the names that the model gives them, in its order."""
        h5py = require("h5py", "keras")
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            check_zip(archive, path)
            names = archive.namelist()
            if _WEIGHTS not in names:
                raise InvalidMaskError(f"has no {_WEIGHTS}, so it is no Keras archive")
            config = parse_json(archive.read(_CONFIG), f"the member {_CONFIG}") if _CONFIG in names else {}
            member = stack.enter_context(member_file(archive, _WEIGHTS))
            file = stack.enter_context(h5py.File(member, "r"))
            size = archive.getinfo(_WEIGHTS).file_size
            yield Source(str(path), tuple(_entries(file, layers_of_config(config), size)))


class HdfReader:
    """A ``.h5`` file: a whole model of the older format, or weights of either."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """The weights by the names that the model gives them, in its order where the file tells it."""
        h5py = require("h5py", "keras")
        size = path.stat().st_size
        with h5py.File(path, "r") as file:
            config = _attribute(file, "model_config", size)
            model = (
                parse_json(config if isinstance(config, bytes) else str(config).encode(), "model_config")
                if config
                else {}
            )
            yield Source(str(path), tuple(_entries(file, layers_of_config(model), size)))


def _entries(file: Any, layers: dict[str, KerasLayer], size: int) -> Iterator[Entry]:
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
        given = None if group is None or prefix == ["optimizer"] else _attribute(group, "name", size)
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


def _attribute(item: Any, name: str, size: int) -> Any:
    """A text attribute; None when there is none."""
    if name not in item.attrs:
        return None
    handle = item.attrs.get_id(name)
    if math.prod(handle.shape or ()) > 1 or handle.get_storage_size() > size:
        raise InvalidMaskError(f"the attribute {name!r} is no single text")
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
        problem = f"holds {dataset.dtype}, no numbers"
    if problem:
        return Stored(tuple(shape or ()), lambda: None, problem)
    stored = min(dataset.id.get_storage_size(), size)
    check_expansion(f"the array {dataset.name!r}", stored, math.prod(shape) * dataset.dtype.itemsize)
    return Stored(tuple(int(side) for side in shape), partial(_values, dataset, _opaque(dataset, size)))


def _opaque(dataset: Any, size: int) -> str | None:
    """The number format of an array that HDF5 has no type for: Keras writes its name beside it."""
    name = _attribute(dataset, "dtype", size) if dataset.dtype.kind == "V" else None
    found = _OPAQUE.get(name) if isinstance(name, str) else None
    return found if found and raw_dtype(found).itemsize == dataset.dtype.itemsize else None


def _values(dataset: Any, opaque: str | None) -> Any:
    values = np.asarray(dataset[()])
    return values if opaque is None else decode(values.view(raw_dtype(opaque)), opaque)
