"""A folder of safetensors shards, with its index file or without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topograph.errors import InvalidMaskError
from topograph.limits import inside, parse_json
from topograph.masks.formats.format import Format
from topograph.masks.formats.safetensors import Header, read_config, read_header, write_tensors
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.name_order import natural
from topograph.masks.packed import may_be_packed
from topograph.masks.source import Source, faults_of
from topograph.masks.state_dicts import state_entries
from topograph.masks.weights import Stored

_INDEX = ".safetensors.index.json"


@contextmanager
def open_safetensors_folder(path: Path) -> Iterator[Source]:
    """The tensors of a folder of safetensors, or of the shards that an index names, as if they lay in one file.

    Raises
    ------
    InvalidMaskError
        When there is nothing to read, the index names a file outside the folder, or a tensor is not where it says.
    """
    folder, names = path.parent, [path.name]
    if path.is_dir():
        folder, names = path, sorted(file.name for file in path.glob(f"*{_INDEX}"))
    indices = [inside(folder, name) for name in names]
    if len(indices) > 1:
        raise InvalidMaskError(f"holds {len(indices)} index files, but one is allowed: {[i.name for i in indices]}")
    headers = _indexed(folder, indices[0]) if indices else _unindexed(folder)
    tensors: dict[str, Stored] = {}
    for shard, header in headers.items():
        for name, stored in header.tensors.items():
            if name in tensors:
                raise InvalidMaskError(f"the tensor {name!r} is in two shards, the second is {shard}")
            tensors[name] = stored
    orientations = {header.orientation for header in headers.values()}
    if len(orientations) != 1:
        raise InvalidMaskError("the shards are of different orientations; read them one by one")
    ordered = {name: tensors[name] for name in sorted(tensors, key=natural)}
    config = read_config(folder) if any(may_be_packed(name) for name in ordered) else None
    yield Source(str(path), tuple(state_entries(ordered, orientations.pop(), config=config)))


def _indexed(folder: Path, index: Path) -> dict[str, Header]:
    """The shards that an index names, each holding just what it says."""
    with faults_of(str(index)):
        table = parse_json(index.read_bytes(), "the index")
        places = table.get("weight_map")
        if not isinstance(places, dict) or not places:
            raise InvalidMaskError("the index must hold a weight_map from tensors to files")
        shards = {str(name): inside(folder, name) for name in dict.fromkeys(places.values())}
    headers = {}
    for shard, path in shards.items():
        with faults_of(str(path)):
            header = read_header(path)
            wanted = [name for name, place in places.items() if place == shard]
            missing = [name for name in wanted if name not in header.tensors]
            if missing:
                raise InvalidMaskError(
                    f"lacks {len(missing)} tensors that the index places there, first {missing[0]!r}"
                )
            headers[shard] = header
    return headers


def _unindexed(folder: Path) -> dict[str, Header]:
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InvalidMaskError("holds no .safetensors and no index of them; name a file instead")
    headers = {}
    for path in paths:
        with faults_of(str(path)):
            headers[path.name] = read_header(inside(folder, path.name))
    return headers


def _write_samples(folder: Path) -> None:
    shards = folder / "shards"
    shards.mkdir()
    write_tensors(shards / "shard.safetensors", {"w": SAMPLE.T}, {"format": "pt"})
    index = {"metadata": {"total_size": 96}, "weight_map": {"w": "shard.safetensors"}}
    (shards / f"model{_INDEX}").write_text(json.dumps(index))


FORMAT = Format(
    "safetensors_folder",
    (_INDEX,),
    "a folder of safetensors shards, with its index or without",
    open_safetensors_folder,
    _write_samples,
    in_folders=(f"*{_INDEX}", "*.safetensors"),
)
