"""Data sets in ``.npz`` files, read within the limits of `topograph.limits`."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import DatasetNotFoundError, InvalidDatasetError
from topograph.limits import check_bytes, check_shape, check_zip
from trainers.datasets.dataset import Dataset

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_npz(path: Path) -> Dataset:
    """Read ``x_train, y_train, x_test, y_test``.

    Raises
    ------
    DatasetNotFoundError
        When there is no such file.
    InvalidDatasetError
        When it is not an archive of these arrays, is encrypted, or would expand beyond reason.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(archive, path)
            _check_memory(path, sum(member.file_size for member in archive.infolist()))
            counts = Counter(member.filename.removesuffix(".npy") for member in archive.infolist())
            missing, twice = [n for n in _NAMES if not counts[n]], [n for n in _NAMES if counts[n] > 1]
            if missing:
                raise InvalidDatasetError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(counts)}")
            if twice:
                raise InvalidDatasetError(f"{path} holds {', '.join(twice)} more than once")
            arrays = {name: _read(archive, f"{name}.npy") for name in _NAMES}
    except InvalidDatasetError:
        raise
    except (Exception, MemoryError) as error:  # of zipfile and NumPy, on bytes of anybody
        raise InvalidDatasetError(f"{path} is not a readable .npz file: {type(error).__name__}: {error}") from error
    return Dataset(path.stem, arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"])


def _check_memory(path: Path, size: int) -> None:
    """Refuse a file that unpacks to more than the memory that is free."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(text.partition("MemAvailable:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):  # the system does not tell
        return
    if size > free:
        raise InvalidDatasetError(
            f"{path} unpacks to {size / 2**30:,.1f} GiB, but only {free / 2**30:,.1f} GiB of memory are free"
        )


def _read(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """An array, after its header's claims were compared with the bytes that are there."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name} is in version {version} of the npy format, but 1.0 and 2.0 can be read")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, a pickle that is not executed; save numbers instead")
        check_bytes(name, check_shape(shape), dtype.itemsize, archive.getinfo(name).file_size - file.tell())
    with archive.open(name) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array
