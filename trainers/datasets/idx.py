"""MNIST and Fashion-MNIST: IDX files in a folder of the user's, or fetched into the cache."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.errors import DatasetNotFoundError, InvalidDatasetError, InvalidMaskError
from topograph.limits import check_expansion
from trainers.datasets.dataset import Dataset

DATA_VARIABLE = "TOPOGRAPH_DATA"

_PARTS = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


class IdxSource(NamedTuple):
    """Where the four files of a data set come from.

    Parameters
    ----------
    url
        Folder to fetch them from.
    hashes
        Name of each file → SHA-256 of its content, once unzipped.
    """

    url: str
    hashes: Mapping[str, str]


IDX_SOURCES: dict[str, IdxSource] = {
    "mnist": IdxSource(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": IdxSource(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}
"""The data sets of IDX files, by name."""


def load_idx(name: str, *, download: bool = False) -> Dataset:
    """Read a data set of IDX files, fetched first where they are missing and ``download`` allows it.

    Raises
    ------
    DatasetNotFoundError, InvalidDatasetError
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for part, stem in _PARTS.items():
        path = _find(name, stem) or (_fetch(name, stem) if download else None)
        if path is None:
            folders = ", ".join(str(folder) for folder in _folders(name))
            raise DatasetNotFoundError(
                f"{name}: {stem}[.gz] was not found in {folders}. Put the four IDX files "
                f"({', '.join(_PARTS.values())}, gzipped or not) from {IDX_SOURCES[name].url} into a folder named "
                f"{name} and point {DATA_VARIABLE} at its parent, or call load_dataset({name!r}, download=True)"
            )
        arrays[part] = _read_idx(path)
    shape = arrays["x_train"].shape[1:]
    for part in ("x_train", "x_test"):
        flat = arrays[part].reshape(len(arrays[part]), math.prod(arrays[part].shape[1:]))
        arrays[part] = np.divide(flat, np.float32(255), dtype=np.float32)
        arrays[part].flags.writeable = False
    return Dataset(name, **arrays, shape=shape)


def _folders(name: str) -> list[Path]:
    import pooch

    root = os.environ.get(DATA_VARIABLE)
    given = [Path(root) / name, Path(root)] if root else []
    return [*given, Path(pooch.os_cache("topograph")) / name]


def _find(name: str, stem: str) -> Path | None:
    for folder in _folders(name):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def _fetch(name: str, stem: str) -> Path:
    import pooch

    source, folder = IDX_SOURCES[name], _folders(name)[-1]
    try:
        path = Path(pooch.retrieve(f"{source.url}{stem}.gz", known_hash=None, fname=f"{stem}.gz", path=folder))
    except (OSError, ValueError) as error:
        raise DatasetNotFoundError(f"{name}: {stem}.gz could not be fetched from {source.url}: {error}") from error
    # the content is checked, not its packing: the same images have been gzipped more than once
    try:
        digest = _digest(path)
        if digest != source.hashes[stem]:
            raise InvalidDatasetError(
                f"{name}: {stem}.gz from {source.url} has SHA-256 {digest} unzipped, not {source.hashes[stem]}"
            )
    except InvalidDatasetError:
        path.unlink()  # otherwise it would stay in the cache
        raise
    return path


@contextmanager
def _content(path: Path) -> Iterator[IO[bytes]]:
    """A file, unzipped where its name ends in .gz."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidDatasetError(f"{path} cannot be read: {error}") from error


def _digest(path: Path) -> str:
    digest, size = hashlib.sha256(), 0
    with _content(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
            _check_expansion(path, size)
    return digest.hexdigest()


def _check_expansion(path: Path, size: int) -> None:
    """Refuse a file that expands beyond reason."""
    try:
        check_expansion(path.name, path.stat().st_size, size)
    except InvalidMaskError as error:
        raise InvalidDatasetError(
            f"{path} would expand from {path.stat().st_size} to {size} bytes or more: refused as a decompression bomb; "
            "if the data are genuine, unzip the file"
        ) from error


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes: two zero bytes, type 8, number of dimensions, the sizes, the data."""
    with _content(path) as file:
        start = file.read(4)
        if len(start) < 4 or start[:3] != b"\x00\x00\x08":
            raise InvalidDatasetError(f"{path} is not an IDX file of unsigned bytes: it begins with {start.hex()!r}")
        sizes = file.read(4 * start[3])
        shape = tuple(int(size) for size in np.frombuffer(sizes[: len(sizes) // 4 * 4], dtype=">u4"))
        expected = math.prod(shape)
        _check_expansion(path, expected)
        enough = path.suffix == ".gz" or expected <= path.stat().st_size
        data = file.read(expected + 1) if enough else b""
    if len(shape) != start[3] or not shape or len(data) != expected:
        raise InvalidDatasetError(f"{path} is truncated or damaged: its data do not fill the shape {shape}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
