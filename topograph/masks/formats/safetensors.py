"""safetensors, read directly: an 8-byte length, a JSON header, then the tensors' bytes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.limits import check_shape, inside, parse_json
from topograph.masks.dtypes import KNOWN, PLAIN, decode, raw_dtype
from topograph.masks.formats.format import Format
from topograph.masks.formats.mask_set_file import MASKS_FORMAT
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.layout import IN_OUT, OUT_IN, layout_of
from topograph.masks.name_order import natural
from topograph.masks.packed import may_be_packed
from topograph.masks.source import Entry, Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.weights import Stored, too_few_dimensions

_LONGEST_CONFIG = 1 << 20
_IN_OUT_FORMATS = ("np", "flax", "jax", "tf")


@contextmanager
def open_safetensors(path: Path) -> Iterator[Source]:
    """The tensors, in the natural order of their names: the format itself keeps none."""
    header = read_header(path)
    order, is_chain = header.order
    tensors = {name: header.tensors[name] for name in order}
    config = read_config(path.parent) if any(may_be_packed(name) for name in tensors) else None
    if header.is_ours:  # all of them are masks, whatever their names seem to say
        yield Source(str(path), tuple(_mask_entry(*item, header.orientation) for item in tensors.items()), is_chain)
        return
    yield Source(str(path), tuple(state_entries(tensors, header.orientation, config=config)), is_chain)


def _mask_entry(name: str, stored: Stored, orientation: str) -> Entry:
    problem = stored.problem or too_few_dimensions(name, stored)
    if problem or len(stored.shape) != 2:
        return Entry.left_out(name, problem or f"has {len(stored.shape)} dimensions, a mask of ours has two")
    return Entry(name, stored.read, layout_of(orientation, 2), shape=stored.shape)


@dataclass(frozen=True)
class Header:
    """The content that a file declares."""

    tensors: Mapping[str, Stored]
    about: Mapping[str, str]

    @property
    def orientation(self) -> str:
        """Ours where we wrote it; else in × out for JAX and TensorFlow, out × in for PyTorch and by default."""
        said = self.about.get("orientation")
        if self.is_ours and said in (IN_OUT, OUT_IN):
            return said
        return IN_OUT if self.about.get("format") in _IN_OUT_FORMATS else OUT_IN

    @property
    def is_ours(self) -> bool:
        """Whether `topograph.masks.save` wrote the file."""
        return self.about.get("topograph") == MASKS_FORMAT

    @property
    def order(self) -> tuple[list[str], bool]:
        """Names in the order to read them, and whether they are a chain."""
        if self.is_ours:
            try:
                order = json.loads(self.about.get("order", ""))
            except (ValueError, RecursionError):
                order = None
            texts = isinstance(order, list) and all(isinstance(name, str) for name in order)
            if texts and sorted(order) == sorted(self.tensors):
                return order, self.about.get("is_chain") == "true"
        return sorted(self.tensors, key=natural), False


def read_config(folder: Path) -> dict[str, Any]:
    """The model's ``config.json`` in a folder, which tells how packed weights are stored; empty when there is none."""
    try:
        path = inside(folder, "config.json")
        return parse_json(path.read_bytes(), "config.json") if path.stat().st_size < _LONGEST_CONFIG else {}
    except InvalidMaskError:  # there is none, or it is of another program
        return {}


def read_header(path: Path) -> Header:
    """Read and check the header of a file: every claim against its size, before anything is allocated.

    Raises
    ------
    InvalidMaskError
        When it is cut short, absurd, or points outside the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise InvalidMaskError(f"the header claims {length} bytes, but the file has {size}; it is truncated")
        table = parse_json(file.read(length), "the header")
    start = 8 + length
    about = table.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
        raise InvalidMaskError("the metadata must map names to texts")
    tensors = {name: _stored(path, name, entry, start, size) for name, entry in table.items()}
    spans = sorted(entry["data_offsets"] for entry in table.values())
    for (_, end), (begin, _) in itertools.pairwise(spans):
        if begin < end:
            raise InvalidMaskError(f"two tensors overlap at byte {begin}")
    return Header(tensors, about)


def _stored(path: Path, name: str, entry: Any, start: int, size: int) -> Stored:
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise InvalidMaskError(f"the tensor {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        raise InvalidMaskError(f"the tensor {name!r} must have lists of sizes and of two offsets")
    shape = check_shape(shape)
    begin, end = check_shape(offsets)
    if not begin <= end <= size - start:
        raise InvalidMaskError(
            f"the tensor {name!r} lies at bytes {begin} to {end}, but only {size - start} are there; "
            "the file is truncated"
        )
    if not isinstance(dtype, str) or dtype not in KNOWN:
        return Stored(shape, lambda: None, f"holds {dtype!r}, a number format that cannot be read")
    needed = math.prod(shape) * raw_dtype(dtype).itemsize
    if needed != end - begin:
        raise InvalidMaskError(
            f"the tensor {name!r} has {end - begin} bytes, but shape {list(shape)} of {dtype} needs {needed}"
        )
    return Stored(shape, partial(_values, path, start + begin, shape, dtype), dtype=dtype)


def _values(path: Path, offset: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    """Read one tensor. Plain reading, no memory map: a file cut short meanwhile is then an error, not a crash."""
    count = math.prod(shape)
    values = np.empty(count, dtype=raw_dtype(dtype))
    content, filled = values.view(np.uint8), 0
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while filled < content.size:
            got = file.readinto(content[filled:].data)  # at most 2 GB at a time
            if not got:
                raise InvalidMaskError("the file was cut short while it was read")
            filled += got
    return decode(values.reshape(shape), dtype)


def write_tensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]], about: Mapping[str, str]) -> None:
    """Write a small safetensors file; for samples."""
    names = {np.dtype(text).newbyteorder("="): name for name, text in PLAIN.items() if name != "BOOL"}
    header: dict[str, Any] = {"__metadata__": dict(about)}
    content = b""
    for name, values in tensors.items():
        data = np.ascontiguousarray(values).tobytes()
        offsets = [len(content), len(content) + len(data)]
        header[name] = {"dtype": names[values.dtype], "shape": list(values.shape), "data_offsets": offsets}
        content += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


def _write_samples(folder: Path) -> None:
    from topograph.masks.writing import save
    from topograph.topology import Topology

    tensors: dict[str, npt.NDArray[Any]] = {
        "fc1.weight": SAMPLE.T,
        "fc1.bias": np.ones(4),
        "conv.weight": np.ones((2, 3, 2, 2), np.int8),
    }
    write_tensors(folder / "model.safetensors", tensors, {"format": "pt"})
    save(Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0), folder / "ours.safetensors")


FORMAT = Format(
    "safetensors",
    (".safetensors",),
    "tensors by name; outputs × inputs unless the file says otherwise",
    open_safetensors,
    _write_samples,
)
