"""``.pt2``: programs of ``torch.export``; their weights lie as raw bytes beside a table of shapes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.limits import check_expansion, check_shape, check_zip, parse_json
from topograph.masks.dtypes import KNOWN, decode, raw_dtype
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.weights import Stored
from topograph.packages import require

_TABLE = "_weights_config.json"
_DTYPES = {
    1: "U8", 2: "I8", 3: "I16", 4: "I32", 5: "I64", 6: "F16", 7: "F32", 8: "F64", 12: "BOOL", 13: "BF16",
    28: "U16", 29: "F8_E4M3", 30: "F8_E5M2",
}  # fmt: skip


@contextmanager
def open_pt2(path: Path) -> Iterator[Source]:
    """Parameters and buffers by the names of the exported model."""
    with zipfile.ZipFile(path) as archive:
        check_zip(archive, path)
        names = archive.namelist()
        tables = [name for name in names if name.endswith(_TABLE) and "/weights/" in f"/{name}"]
        if not tables:
            old = any(name.endswith("serialized_state_dict.pt") for name in names)
            more = "; it is of an older version: export it again, or save its state_dict" if old else ""
            raise InvalidMaskError(f"holds no table of weights, so it is not a program of torch.export{more}")
        tensors: dict[str, Stored] = {}
        for table in tables:
            folder = table.rpartition("/")[0]
            config = parse_json(archive.read(table), f"the member {table}").get("config")
            if not isinstance(config, dict):
                raise InvalidMaskError(f"the member {table} must hold a config of tensors")
            for name, about in config.items():
                free, number = name, 1
                while free in tensors:
                    number += 1
                    free = f"{name} ({number})"
                tensors[free] = _stored(path, archive, folder, about)
        yield Source(str(path), tuple(state_entries(tensors)))


def _stored(path: Path, archive: zipfile.ZipFile, folder: str, about: Any) -> Stored:
    meta = about.get("tensor_meta") if isinstance(about, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(meta, Mapping):
        raise InvalidMaskError("the table of weights must give path_name and tensor_meta for each")
    shape, strides = (_sizes(meta.get(key)) for key in ("sizes", "strides"))
    if about.get("use_pickle"):
        return Stored(shape, lambda: None, "is stored as a pickle of its own, which is not read")
    dtype = _DTYPES.get(meta["dtype"], "") if isinstance(meta.get("dtype"), int) else ""
    if dtype not in KNOWN:
        return Stored(shape, lambda: None, f"holds the number format {meta.get('dtype')!r}, which cannot be read")
    try:
        member = archive.getinfo(f"{folder}/{about.get('path_name')}")
    except KeyError:
        raise InvalidMaskError(f"lacks the weights {str(about.get('path_name'))[:80]!r}") from None
    (offset,) = _sizes([meta.get("storage_offset", 0)])
    width = raw_dtype(dtype).itemsize
    span = 0 if 0 in shape else 1 + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    if (offset + span) * width > member.file_size:
        raise InvalidMaskError(f"the weights {member.filename!r} are shorter than shape {list(shape)} needs")
    check_expansion(f"the weights {member.filename!r}", member.file_size, math.prod(shape) * width)
    return Stored(shape, partial(_values, path, member.filename, dtype, offset, shape, strides), dtype=dtype)


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list):
        raise InvalidMaskError("the table of weights must give sizes and strides as lists")
    return check_shape(value.get("as_int") if isinstance(value, Mapping) else value for value in values)


def _values(path: Path, member: str, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    with zipfile.ZipFile(path) as archive:
        raw = np.frombuffer(archive.read(member), dtype=np.uint8)
    kind = raw_dtype(dtype)
    flat = raw[: raw.size // kind.itemsize * kind.itemsize].view(kind)[offset:]
    steps = [step * kind.itemsize for step in strides]
    shaped = np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False)
    return decode(np.ascontiguousarray(shaped).reshape(shape), dtype)


def _write_samples(folder: Path) -> None:
    torch = require("torch", "torch")
    export = require("torch.export", "torch")
    model = torch.nn.Sequential(torch.nn.Linear(6, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(SAMPLE.T.copy()))
    export.save(export.export(model, (torch.ones(1, 6),)), folder / "model.pt2")


FORMAT = Format("pt2", (".pt2",), "programs of torch.export; outputs × inputs", open_pt2, _write_samples)
