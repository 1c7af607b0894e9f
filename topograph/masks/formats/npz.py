"""``.npz``: named NumPy arrays, a SciPy sparse matrix, or one of our own topologies and mask sets."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.limits import check_nodes, check_zip
from topograph.masks.formats.format import Format
from topograph.masks.formats.mask_set_file import MASKS_FORMAT, masks_from_archive
from topograph.masks.formats.npy import check_header
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.layout import IN_OUT
from topograph.masks.maskset import MaskSet, mask_set_source
from topograph.masks.source import Source, array_entry
from topograph.masks.state_dicts import state_entries
from topograph.masks.weights import Stored
from topograph.topology import FORMAT as TOPOLOGY_FORMAT
from topograph.topology import Topology

_SPARSE_KEYS = frozenset({"format", "shape", "data"})


@contextmanager
def open_npz(path: Path) -> Iterator[Source]:
    """The archive's members; each is read on its own."""
    with zipfile.ZipFile(path) as archive:
        check_zip(archive, path)
        headers = list(_headers(archive))
        names = {name for name, _, _ in headers}
        if {"format", "sizes"} <= names:
            if _text(archive, "format") == TOPOLOGY_FORMAT:
                check_nodes([int(n) for n in _member(archive, "sizes").ravel()], path.stat().st_size)
            yield mask_set_source(MaskSet.from_topology(Topology.load(path)), str(path))
        elif {"format", "names"} <= names and _text(archive, "format") == MASKS_FORMAT:
            yield mask_set_source(masks_from_archive(partial(_member, archive), path.stat().st_size), str(path))
        elif names >= _SPARSE_KEYS:
            shape = [int(side) for side in _member(archive, "shape").ravel()]
            check_nodes(shape, path.stat().st_size)
            yield Source(str(path), (array_entry(path.stem, shape, partial(_read_sparse, path)),))
        else:
            tensors: dict[str, Stored] = {}
            for name, info, header in headers:
                free, number = name, 1
                while free in tensors:  # two members of one name are both kept
                    number += 1
                    free = f"{name} ({number})"
                tensors[free] = _stored(archive, info, header)
            yield Source(str(path), tuple(state_entries(tensors, IN_OUT, bare=True)))


def _stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: str | tuple[tuple[int, ...], str]) -> Stored:
    if isinstance(header, str):
        return Stored((), lambda: None, header)
    return Stored(header[0], partial(_array, archive, info), dtype=header[1])


def _headers(
    archive: zipfile.ZipFile,
) -> Iterator[tuple[str, zipfile.ZipInfo, str | tuple[tuple[int, ...], str]]]:
    """Name of each member, with its shape and type or the reason why it is not an array of numbers."""
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            yield name, info, "is not an array"
            continue
        with archive.open(info) as file:
            shape, dtype = check_header(info.filename, file, info.file_size)
        if dtype.kind not in "biufUS":
            yield name, info, f"holds {dtype}, not numbers"
        else:
            kind = dtype.kind
            named = "BOOL" if kind == "b" else f"{kind.upper()}{8 * dtype.itemsize}" if kind in "iuf" else ""
            yield name, info, (shape, named)


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    return _array(archive, archive.getinfo(f"{name}.npy"))


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    return str(_member(archive, name))


def _read_sparse(path: Path) -> Any:
    matrix = sp.load_npz(path)
    if matrix.format in ("csr", "csc", "bsr"):
        # SciPy trusts these numbers, and with wrong ones reads and writes foreign memory
        pointers = matrix.indptr
        if pointers[0] != 0 or pointers[-1] > len(matrix.indices) or (pointers[1:] < pointers[:-1]).any():
            raise InvalidMaskError("the row pointers must rise from 0 to the number of entries")
        matrix.check_format(full_check=True)
    return matrix


def _write_samples(folder: Path) -> None:
    from topograph.masks.writing import save

    conv = np.ones((2, 2, 3, 3))
    np.savez(folder / "several.npz", fc1=SAMPLE, fc2=SAMPLE.T.astype(bool), bias=np.ones(3), conv=conv)
    np.savez_compressed(folder / "packed.npz", fc1=SAMPLE.astype(np.int8))
    for kind in ("csr", "csc", "coo", "bsr", "dia"):
        sp.save_npz(folder / f"{kind}.npz", sp.coo_array(SAMPLE).asformat(kind))
    topology = Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0)
    topology.save(folder / "topology.npz")
    save(MaskSet.from_topology(topology), folder / "masks.npz")


FORMAT = Format(
    "npz",
    (".npz",),
    "arrays, inputs × outputs; a SciPy sparse matrix; a topology or a mask set",
    open_npz,
    _write_samples,
)
