"""`load_dataset`: a data set by name, from a file, or from arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topograph.errors import InvalidDatasetError, UnknownNameError
from trainers.datasets.dataset import Dataset
from trainers.datasets.idx import IDX_SOURCES, load_idx
from trainers.datasets.npz import load_npz


def available_datasets() -> tuple[str, ...]:
    """Names of the data sets known by name."""
    return ("digits", *IDX_SOURCES)


def load_dataset(source: str | os.PathLike[str] | Dataset | Sequence[Any], *, download: bool = False) -> Dataset:
    """Get a data set.

    Parameters
    ----------
    source
        ``"digits"`` (scikit-learn's, embedded); ``"mnist"`` or ``"fashion-mnist"`` (four IDX files, gzipped or not, in
        ``$TOPOGRAPH_DATA/<name>/``, ``$TOPOGRAPH_DATA/`` or the user's cache); the path of an ``.npz`` with
        ``x_train, y_train, x_test, y_test``; or these four arrays. Samples of more dimensions keep their shape.
    download
        Whether files that are missing may be fetched into the user's cache, checked by their SHA-256.

    Raises
    ------
    UnknownNameError, DatasetNotFoundError, InvalidDatasetError

    Examples
    --------
    >>> load_dataset("digits")
    Dataset(digits, 1437 training and 360 test samples, 64 features (8 × 8), 10 classes)
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, os.PathLike)):
        name = os.fsdecode(source)
        if name == "digits":
            return _digits()
        if name in IDX_SOURCES:
            return load_idx(name, download=download)
        if name.endswith(".npz"):
            return load_npz(Path(name))
        raise UnknownNameError.among("data set (or path ending in .npz)", name, available_datasets())
    if not isinstance(source, Sequence):
        raise InvalidDatasetError(
            "a data set is a name, the path of an .npz file, or x_train, y_train, x_test, y_test, but got "
            f"{type(source).__name__}"
        )
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
    return Dataset("digits", x_train, y_train, x_test, y_test, shape=(8, 8))
