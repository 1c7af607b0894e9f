"""``.npy``: one NumPy array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.limits import check_bytes, check_shape
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source, array_entry


@contextmanager
def open_npy(path: Path) -> Iterator[Source]:
    """The array, under the file's name."""
    with path.open("rb") as file:
        shape, _ = check_header(path.name, file, path.stat().st_size)
    yield Source(str(path), (array_entry(path.stem, shape, partial(np.load, path, allow_pickle=False)),))


def check_header(what: str, file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an array's header and compare what it claims with what is there."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise InvalidMaskError(f"{what} is in version {version} of the npy format, but 1.0 and 2.0 can be read")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InvalidMaskError(f"{what} holds Python objects, a pickle that is not executed; save numbers instead")
    shape = check_shape(shape)
    check_bytes(what, shape, dtype.itemsize, size - file.tell())
    return shape, dtype


def _write_samples(folder: Path) -> None:
    np.save(folder / "mask.npy", SAMPLE)


FORMAT = Format("npy", (".npy",), "one array, inputs × outputs", open_npy, _write_samples)
