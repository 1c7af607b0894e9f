"""`compiled`: numba with the settings of this backend, and a cache on disk that any change of its code makes stale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

# sums may be reordered and fused; NaN and infinity keep their meaning, so that divergence is seen
_OPTIONS: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True, "error_model": "numpy"}


def part(function: Callable[..., Any]) -> Any:
    """For what only compiled functions call: it becomes a part of each of them.

    Without that, a process may run the copy that another function was compiled with, which rounds in another order:
    which copy it is depends on what else was compiled in this process, and what was read from the disk.
    """
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, or read what was compiled before.

    Machine code holds what the function calls, wherever that stands; numba looks for changes in the function's own file
    only. So its stamp of that file becomes one of all files of the folder.
    """
    dispatcher = numba.njit(cache=True, **_OPTIONS)(function)
    with suppress(AttributeError):  # where nothing is compiled or kept on disk, there is no stamp
        dispatcher._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    return dispatcher


@lru_cache
def _stamp(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
