"""Optional packages, imported only where a source needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from topograph.errors import MissingDependencyError


def require(package: str, extra: str) -> Any:
    """Import an optional package.

    Raises
    ------
    MissingDependencyError
        When it is not installed; the message names the extra that brings it.

    Examples
    --------
    >>> require("numpy", "none").__name__
    'numpy'
    >>> require("no_such_package", "torch")
    Traceback (most recent call last):
    ...
    topograph.errors.MissingDependencyError: this needs no_such_package: pip install 'topograph[torch]'
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingDependencyError(f"this needs {package}: pip install 'topograph[{extra}]'") from error
