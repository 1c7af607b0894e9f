"""Data sets: digits (embedded), MNIST and Fashion-MNIST (IDX files), an ``.npz`` file, or arrays."""

from __future__ import annotations

import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import DatasetNotFoundError, InvalidDatasetError, UnknownNameError

DATA_VARIABLE = "TOPOGRAPH_DATA"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test samples of a classification task.

    Parameters
    ----------
    name
        Name in tables.
    x_train, x_test
        Shape ``(n_samples, n_features)``, float32; images in [0, 1].
    y_train, y_test
        Shape ``(n_samples,)``, labels 0 … n_classes − 1.

    Raises
    ------
    InvalidDatasetError
        When shapes or values do not fit together.
    """

    name: str
    x_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x = _numbers(f"x_{part}", getattr(self, f"x_{part}"))
            y = _numbers(f"y_{part}", getattr(self, f"y_{part}"))
            x = np.ascontiguousarray(x.reshape(len(x), -1) if x.ndim > 2 and len(x) else x, dtype=np.float32)
            if x.ndim != 2 or y.ndim != 1 or len(x) != len(y) or not len(x):
                raise InvalidDatasetError(
                    f"{self.name}: x_{part} must be samples × features and y_{part} one label per sample, "
                    f"but got shapes {x.shape} and {y.shape}"
                )
            if not np.isfinite(x).all():
                raise InvalidDatasetError(f"{self.name}: x_{part} holds NaN or infinity")
            with np.errstate(
                invalid="ignore"
            ):  # NaN and infinity, which are not labels, differ from the integers they become
                labels = y.astype(np.int64)
            wrong = (labels != y) | (labels < 0)
            if wrong.any():
                raise InvalidDatasetError(
                    f"{self.name}: y_{part} must hold whole numbers from 0, "
                    f"but got {y[wrong][0]} at position {wrong.argmax()}"
                )
            for field, value in ((f"x_{part}", x), (f"y_{part}", labels)):
                # nobody else may be able to change the array; one that owns its memory and is read-only is not copied
                shared = value.base is not None or (value.flags.writeable and value is getattr(self, field))
                value = value.copy() if shared else value
                value.flags.writeable = False
                object.__setattr__(self, field, value)
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise InvalidDatasetError(
                f"{self.name}: x_train has {self.x_train.shape[1]} features, x_test {self.x_test.shape[1]}"
            )

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return int(self.x_train.shape[1])

    @cached_property
    def n_classes(self) -> int:
        """Number of classes: one more than the largest label."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of all samples and labels."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}, {len(self.x_train)} training and {len(self.x_test)} test samples, "
            f"{self.n_features} features, {self.n_classes} classes)"
        )


def available_datasets() -> tuple[str, ...]:
    """Names of the data sets known by name."""
    return ("digits", *_IDX)


def load_dataset(source: str | os.PathLike[str] | Dataset | Sequence[Any], *, download: bool = False) -> Dataset:
    """Get a data set.

    Parameters
    ----------
    source
        ``"digits"`` (scikit-learn's, embedded); ``"mnist"`` or ``"fashion-mnist"`` (four IDX files, gzipped or not, in
        ``$TOPOGRAPH_DATA/<name>/``, ``$TOPOGRAPH_DATA/`` or the user's cache); the path of an ``.npz`` with
        ``x_train, y_train, x_test, y_test``; or these four arrays.
    download
        Whether files that are missing may be fetched into the user's cache, checked by their SHA-256.

    Raises
    ------
    UnknownNameError, DatasetNotFoundError, InvalidDatasetError

    Examples
    --------
    >>> load_dataset("digits")
    Dataset(digits, 1437 training and 360 test samples, 64 features, 10 classes)
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        if name == "digits":
            return _digits()
        if name in _IDX:
            return _idx_dataset(name, download)
        if name.endswith(".npz"):
            return _npz(Path(name))
        raise UnknownNameError.among("data set (or path ending in .npz)", name, available_datasets())
    arrays = tuple(source)
    if len(arrays) != 4:
        raise InvalidDatasetError(
            f"a data set is x_train, y_train, x_test, y_test, but got {len(arrays)} arrays: give these four"
        )
    return Dataset("arrays", *arrays)


def _digits() -> Dataset:
    """scikit-learn's 8 × 8 digits, a fifth of each class held out, always the same."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16.0, y, test_size=0.2, stratify=y, random_state=0)
    return Dataset("digits", x_train, y_train, x_test, y_test)


def _npz(path: Path) -> Dataset:
    if not path.is_file():
        raise DatasetNotFoundError(f"{path}: no such file")
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise InvalidDatasetError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(archive.files)}")
            _check_size(path, archive.zip)
            return Dataset(path.stem, *(archive[name] for name in names))
    except InvalidDatasetError:
        raise
    except Exception as error:  # damaged, encrypted, packed in an unknown way, of impossible sizes, …
        raise InvalidDatasetError(f"{path} is not a readable .npz file: {type(error).__name__}: {error}") from error


def _check_size(path: Path, archive: zipfile.ZipFile | None) -> None:
    """Refuse a file that unpacks to more than the memory that is free."""
    size = sum(member.file_size for member in archive.infolist()) if archive is not None else 0
    free = _free_memory()
    if size > free:
        raise InvalidDatasetError(
            f"{path} unpacks to {size / 2**30:,.1f} GiB, but only {free / 2**30:,.1f} GiB of memory are free"
        )


def _free_memory() -> float:
    """Bytes of memory that can be used without swapping; infinite where the system does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.partition("MemAvailable:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return np.inf


# ---------------------------------------------------------------------- IDX files

_PARTS = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_LARGEST = 2**28  # bytes of a file, unpacked: MNIST's largest has 47 million
# name -> where the files live, and the SHA-256 of each file once unzipped
_IDX: dict[str, tuple[str, dict[str, str]]] = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}


def _idx_dataset(name: str, download: bool) -> Dataset:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for part, stem in _PARTS.items():
        path = _find(name, stem) or (_fetch(name, stem) if download else None)
        if path is None:
            looked = ", ".join(str(folder) for folder in _folders(name))
            raise DatasetNotFoundError(
                f"{name}: {stem}[.gz] was not found in {looked}. Put the four IDX files ({', '.join(_PARTS.values())}, "
                f"gzipped or not) from {_IDX[name][0]} into a folder named {name} and point {DATA_VARIABLE} at its "
                f"parent, or call load_dataset({name!r}, download=True)"
            )
        arrays[part] = _read_idx(path)
    for part in ("x_train", "x_test"):
        flat = arrays[part].reshape(len(arrays[part]), -1)
        arrays[part] = np.divide(flat, np.float32(255), dtype=np.float32)
        arrays[part].flags.writeable = False
    return Dataset(name, **arrays)


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

    base, hashes = _IDX[name]
    folder = _folders(name)[-1]
    try:
        path = Path(pooch.retrieve(f"{base}{stem}.gz", known_hash=None, fname=f"{stem}.gz", path=folder))
    except (OSError, ValueError) as error:
        raise DatasetNotFoundError(f"{name}: {stem}.gz could not be fetched from {base}: {error}") from error
    # the content is checked, not its packing: the same images have been gzipped more than once
    try:
        digest = hashlib.sha256(_read_bytes(path)).hexdigest()
        if digest != hashes[stem]:
            raise InvalidDatasetError(
                f"{name}: {stem}.gz from {base} has SHA-256 {digest} unzipped, not {hashes[stem]}"
            )
    except InvalidDatasetError:
        path.unlink()  # otherwise it would stay in the cache
        raise
    return path


def _read_bytes(path: Path) -> bytes:
    """The content of a file, unzipped where its name ends in .gz."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content: bytes = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise InvalidDatasetError(f"{path} cannot be read: {error}") from error
    if len(content) > _LARGEST:
        raise InvalidDatasetError(f"{path} holds more than {_LARGEST / 2**20:,.0f} MiB, too much for these data sets")
    return content


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes: two zero bytes, type 8, number of dimensions, the sizes, the data."""
    data = _read_bytes(path)
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise InvalidDatasetError(f"{path} is not an IDX file of unsigned bytes: it begins with {data[:4].hex()}")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], dtype=">u4"))
    if len(shape) != dimensions or len(data) - start != int(np.prod(shape, dtype=np.int64)):
        raise InvalidDatasetError(
            f"{path} is truncated or damaged: {len(data) - start} bytes of data for shape {shape}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _numbers(name: str, values: Any) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InvalidDatasetError(f"{name} must hold numbers, but got dtype {array.dtype}")
    return array
