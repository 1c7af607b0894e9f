"""`compiled`, `reordered` and their parts: how numba is used here, with a cache on disk that notices every change.

Importing this module imports numba, so modules that use it are imported on first use only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

_EXACT: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# sums may be reordered and fused; NaN and infinity keep their meaning, so that divergence is seen
_REORDERED: dict[str, Any] = {**_EXACT, "fastmath": {"reassoc", "contract", "nsz"}}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, or read the machine code that an earlier process kept on disk.

    Machine code contains the functions that it calls, wherever they stand, but numba looks for changes in the
    function's own file only. So the stamp of that file becomes one of all files of its folder: a compiled function
    calls compiled functions of its own folder only.
    """
    return _cached(function, _EXACT)


def reordered(function: Callable[..., Any]) -> Any:
    """As `compiled`, with sums in whatever order is fastest."""
    return _cached(function, _REORDERED)


def part(function: Callable[..., Any]) -> Any:
    """Make a function part of each compiled function that calls it.

    Otherwise a process may run the copy that another function was compiled with, which rounds in another order where
    sums are reordered: which copy depends on what else was compiled in this process or read from the disk.
    """
    return numba.njit(forceinline=True, **_EXACT)(function)


def reordered_part(function: Callable[..., Any]) -> Any:
    """As `part`, with sums in whatever order is fastest."""
    return numba.njit(forceinline=True, **_REORDERED)(function)


def _cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    dispatcher = numba.njit(cache=True, **options)(function)
    with suppress(AttributeError):  # without compilation or without a folder for the cache there is no stamp
        dispatcher._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    return dispatcher


@lru_cache
def _stamp(folder: Path) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
