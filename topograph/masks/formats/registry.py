"""`Reader`: one file format. The registry finds it by the file's ending."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from topograph.errors import InvalidMaskError
from topograph.masks.source import Source

_MODULES = {
    ".npy": "npy:NpyReader",
    ".npz": "npz:NpzReader",
    ".mtx": "matrix_market:MatrixMarketReader",
    ".csv": "edge_list:EdgeListReader",
    ".tsv": "edge_list:EdgeListReader",
    ".safetensors": "safetensors:SafetensorsReader",
    ".pt": "pytorch:TorchReader",
    ".pth": "pytorch:TorchReader",
    ".bin": "pytorch:TorchReader",
    ".ckpt": "pytorch:TorchReader",
    ".tar": "pytorch:TorchReader",
    ".keras": "keras_archive:KerasReader",
    ".h5": "hdf5:HdfReader",
    ".hdf5": "hdf5:HdfReader",
    ".onnx": "onnx:OnnxReader",
}


class Reader(Protocol):
    """Sees what a file of one format holds; values are read only when an entry is asked for them.

    A reader executes nothing that the file brings, reaches no path outside the file's folder, and checks every size
    that the file claims before it allocates. What it raises on a broken file becomes an `InvalidMaskError`.
    """

    def open(self, path: Path) -> AbstractContextManager[Source]:
        """The file's layers and the rest; open for as long as the context lasts."""
        ...


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
    return cast(Reader, getattr(import_module(f"topograph.masks.formats.{module}"), name)())
