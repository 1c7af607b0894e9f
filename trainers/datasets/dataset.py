"""`Dataset`: training and test samples of a classification task."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.checks import check_integer
from topograph.errors import InvalidDatasetError

MOST_CLASSES = 1_000_000
"""Bound on the number of classes: a label beyond it is an identifier, and one-hot labels would fill the memory."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test samples of a classification task.

    Parameters
    ----------
    name
        Name in tables.
    x_train, x_test
        Shape ``(n_samples, n_features)``, float32; images in [0, 1]. Arrays of more dimensions are kept so, too.
    y_train, y_test
        Shape ``(n_samples,)``, labels 0 … n_classes − 1, at most a million.
    shape
        Shape of one sample, such as ``(28, 28)``: what its features in a row were before; by default that of the arrays
        given. Models that are more than chains read it, see `trainers.models`.

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
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shapes = {}
        for part in ("train", "test"):
            x = _numbers(f"{self.name}: x_{part}", getattr(self, f"x_{part}"))
            y = _numbers(f"{self.name}: y_{part}", getattr(self, f"y_{part}"))
            shapes[part] = x.shape[1:]
            if x.ndim > 2:
                x = x.reshape(len(x), math.prod(x.shape[1:]))
            if x.ndim != 2 or y.ndim != 1 or len(x) != len(y) or not x.size:
                raise InvalidDatasetError(
                    f"{self.name}: x_{part} must be samples × features and y_{part} one label per sample, at least one "
                    f"of each, but got shapes {x.shape} and {y.shape}"
                )
            with np.errstate(over="ignore"):  # becomes infinite
                x = np.ascontiguousarray(x, dtype=np.float32)
            if not np.isfinite(x).all():
                raise InvalidDatasetError(f"{self.name}: x_{part} holds NaN, infinity or a number beyond float32")
            with np.errstate(invalid="ignore"):  # NaN and infinity differ from the integers that they become
                labels = y.astype(np.int64)
            wrong = (labels != y) | (labels < 0) | (labels >= MOST_CLASSES)
            if wrong.any():
                raise InvalidDatasetError(
                    f"{self.name}: y_{part} must hold whole numbers from 0 to {MOST_CLASSES - 1}, "
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
        object.__setattr__(self, "shape", self._checked_shape(shapes))

    def _checked_shape(self, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
        """The shape of a sample: the one that was given, or that of the arrays."""
        if self.shape:
            shape = tuple(check_integer(f"{self.name}: each size in shape", size, low=1) for size in self.shape)
            if math.prod(shape) != self.n_features:
                raise InvalidDatasetError(
                    f"{self.name}: a sample of shape {shape} has {math.prod(shape)} features, but x_train has "
                    f"{self.n_features}"
                )
            return shape
        if shapes["train"] != shapes["test"]:
            raise InvalidDatasetError(
                f"{self.name}: samples of x_train have the shape {shapes['train']}, of x_test {shapes['test']}"
            )
        return shapes["train"]

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return int(self.x_train.shape[1])

    @property
    def n_train(self) -> int:
        """Number of training samples."""
        return len(self.x_train)

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
        image = f" ({' × '.join(map(str, self.shape))})" if len(self.shape) > 1 else ""
        return (
            f"Dataset({self.name}, {len(self.x_train)} training and {len(self.x_test)} test samples, "
            f"{self.n_features} features{image}, {self.n_classes} classes)"
        )


def _numbers(name: str, values: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidDatasetError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        raise InvalidDatasetError(f"{name} must hold numbers, but got dtype {array.dtype}")
    return array
