"""`Reader`: one file format. The registry finds it by the file's ending."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from topograph.errors import InvalidMaskError
from topograph.masks.source import Source

_MODULES = {
    ".npy": "numpy_files:NpyReader",
    ".npz": "numpy_files:NpzReader",
    ".mtx": "matrix_market:MatrixMarketReader",
    ".csv": "edge_lists:EdgeListReader",
    ".tsv": "edge_lists:EdgeListReader",
    ".safetensors": "safetensors:SafetensorsReader",
    ".pt": "torch_files:TorchReader",
    ".pth": "torch_files:TorchReader",
    ".bin": "torch_files:TorchReader",
    ".ckpt": "torch_files:TorchReader",
    ".tar": "torch_files:TorchReader",
    ".keras": "keras_files:KerasReader",
    ".h5": "keras_files:HdfReader",
    ".hdf5": "keras_files:HdfReader",
    ".onnx": "onnx_files:OnnxReader",
}


class Reader(Protocol):
    """Sees what a file of one format holds; values are read only when an entry is asked for them.

    A reader executes nothing that the file brings, reaches no path outside the file's folder, and checks every size
    that the file claims before it allocates. What it raises on a broken file becomes an `InvalidMaskError`.
    """

    def open(self, path: Path) -> AbstractContextManager[Source]:
        """The file's layers and the rest; open for as long as the context lasts."""
        ...


def readable_suffixes() -> tuple[str, ...]:
    """File endings that can be read."""
    return tuple(_MODULES)


def reader_for(path: Path) -> Reader:
    """The reader for a file, by its ending.

    Raises
    ------
    InvalidMaskError
        When there is none.

    Examples
    --------
    >>> type(reader_for(Path("mask.npy"))).__name__
    'NpyReader'
    """
    try:
        module, name = _MODULES[path.suffix.lower()].split(":")
    except KeyError:
        raise InvalidMaskError(
            f"{path}: cannot read files ending in {path.suffix or 'nothing'!r}; can read {', '.join(_MODULES)}, and "
            "folders of safetensors"
        ) from None
    return cast(Reader, getattr(import_module(f"topograph.masks.{module}"), name)())
