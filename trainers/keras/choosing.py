"""The framework that Keras runs on: the one that the user names, or one that is installed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from topograph.errors import MissingDependencyError
from topograph.packages import require

_OURS = ("torch", "jax")


def check_installed() -> None:
    """Raise, without importing anything, where Keras or its framework is missing."""
    if find_spec("keras") is None or not (os.environ.get("KERAS_BACKEND") or any(map(find_spec, _OURS))):
        raise MissingDependencyError("this trainer needs Keras on PyTorch or JAX: pip install 'topograph[keras]'")


def import_keras() -> Any:
    """Keras, on the backend that ``KERAS_BACKEND`` names; if that is not set, on PyTorch, or on JAX.

    By default Keras would look for TensorFlow. If Keras was imported before, its backend stays.

    Raises
    ------
    MissingDependencyError
        When Keras, or the framework that it runs on, is not installed.
    """
    check_installed()
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = next(name for name in _OURS if find_spec(name))
    return require("keras", "keras")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence a deprecation warning of NumPy 2 about the way that Keras on PyTorch makes arrays."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        yield
