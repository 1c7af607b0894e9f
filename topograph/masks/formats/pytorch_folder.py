"""A folder of PyTorch shards (``pytorch_model-00001-of-00002.bin``), with its index file or without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topograph.errors import InvalidMaskError
from topograph.limits import inside, parse_json
from topograph.masks.formats.format import Format
from topograph.masks.formats.safetensors import read_config
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.name_order import natural
from topograph.masks.source import Source, faults_of
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.archive import TorchArchive
from topograph.masks.torch.checkpoints import tensor_table
from topograph.masks.weights import Stored
from topograph.packages import require

_INDEX = ".bin.index.json"
_SHARD = "pytorch_model*.bin"


@contextmanager
def open_pytorch_folder(path: Path) -> Iterator[Source]:
    """The tensors of all shards, as if they lay in one file.

    Raises
    ------
    InvalidMaskError
        When the index names a file outside the folder, or a tensor is not where it says, or lies in two shards.
    """
    folder, names = path.parent, [path.name]
    if path.is_dir():
        folder, names = path, sorted(file.name for file in path.glob(f"*{_INDEX}"))
    if len(names) > 1:
        raise InvalidMaskError(f"holds {len(names)} index files, but one is allowed: {names}")
    places = _places(inside(folder, names[0])) if names else {}
    shards = dict.fromkeys(places.values()) if places else sorted(file.name for file in folder.glob(_SHARD))
    tensors: dict[str, Stored] = {}
    for shard in shards:
        file = inside(folder, shard)
        with faults_of(str(file)):
            archive = TorchArchive(file)
            table = tensor_table(archive.content, file.stem, archive)
        missing = [name for name, place in places.items() if place == shard and name not in table]
        if missing:
            raise InvalidMaskError(
                f"{file}: lacks {len(missing)} tensors that the index places there, first {missing[0]!r}"
            )
        for name, stored in table.items():
            if name in tensors:
                raise InvalidMaskError(f"the tensor {name!r} is in two shards, the second is {shard}")
            tensors[name] = stored
    ordered = {name: tensors[name] for name in sorted(tensors, key=natural)}
    yield Source(str(path), tuple(state_entries(ordered, config=read_config(folder))))


def _places(index: Path) -> dict[str, str]:
    """Tensor → shard, as an index says."""
    with faults_of(str(index)):
        table = parse_json(index.read_bytes(), "the index")
        places = table.get("weight_map")
        if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
            raise InvalidMaskError("the index must hold a weight_map from tensors to files")
        return places


def _write_samples(folder: Path) -> None:
    torch = require("torch", "torch")
    shards = folder / "shards"
    shards.mkdir()
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    for number, name in enumerate(names):
        torch.save({f"fc{number}.weight": torch.tensor(SAMPLE.T.copy())}, shards / name)
    places = {f"fc{number}.weight": name for number, name in enumerate(names)}
    (shards / f"pytorch_model{_INDEX}").write_text(json.dumps({"metadata": {}, "weight_map": places}))


FORMAT = Format(
    "pytorch_folder",
    (_INDEX,),
    "a folder of PyTorch shards, with its index or without",
    open_pytorch_folder,
    _write_samples,
    in_folders=(f"*{_INDEX}", _SHARD),
    rank=1,
)
