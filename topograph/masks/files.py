"""`load`: a file of masks as a `MaskSet`. No pickle is ever executed."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.graph import BipartiteGraph
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology


def load(path: str | os.PathLike[str]) -> MaskSet:
    """Read the masks in a file; rows are inputs.

    ============  =====================================================================
    ``.npy``      one two-dimensional array
    ``.npz``      a topology file; a SciPy sparse matrix; or named arrays
    ``.mtx``      a MatrixMarket matrix
    ============  =====================================================================

    Raises
    ------
    InvalidMaskError
        When the file is missing, of another kind, or broken; the message names the file and the fault.
    """
    source = Path(path)
    reader = _READERS.get(source.suffix.lower())
    if reader is None:
        raise InvalidMaskError(
            f"{source}: cannot read files ending in {source.suffix or 'nothing'!r}; can read {', '.join(_READERS)}"
        )
    if not source.is_file():
        raise InvalidMaskError(f"{source}: no such file")
    try:
        return reader(source)
    except _FAULTS as error:
        detail = str(error).removeprefix(f"{source}: ")
        raise InvalidMaskError(f"{source}: {detail or type(error).__name__}") from error


_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    IndexError,
    MemoryError,
    OverflowError,
    AttributeError,
    NotImplementedError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)


def _read_npy(source: Path) -> MaskSet:
    return MaskSet({source.stem: BipartiteGraph.from_mask(np.load(source, allow_pickle=False))})


def _read_npz(source: Path) -> MaskSet:
    with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = set(archive.files)
        if {"format", "sizes"} <= names:
            return MaskSet.from_topology(Topology.load(source))
        if {"format", "shape", "data"} <= names:
            return MaskSet({source.stem: BipartiteGraph.from_mask(sp.load_npz(source))})
        return masks_from_arrays({name: archive[name] for name in archive.files})


def _read_mtx(source: Path) -> MaskSet:
    return MaskSet({source.stem: BipartiteGraph.from_mask(scipy.io.mmread(source))})


def masks_from_arrays(arrays: Mapping[str, Any]) -> MaskSet:
    """Named arrays as a mask set; what is not a two-dimensional array of numbers is left out, with the reason."""
    graphs: dict[str, BipartiteGraph] = {}
    left_out: dict[str, str] = {}
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.ndim != 2:
            left_out[name] = f"has {array.ndim} dimensions, a mask has two"
            continue
        try:
            graphs[name] = BipartiteGraph.from_mask(array)
        except InvalidMaskError as error:
            left_out[name] = str(error)
    if left_out and not graphs:
        raise InvalidMaskError("no mask among " + "; ".join(f"{name} ({why})" for name, why in left_out.items()))
    return MaskSet(graphs, left_out)


_READERS: dict[str, Callable[[Path], MaskSet]] = {".npy": _read_npy, ".npz": _read_npz, ".mtx": _read_mtx}
