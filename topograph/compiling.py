"""`compiled`, `reordered` and their parts: how numba is used here, with a cache on disk that notices every change.

Importing this module imports numba, so modules that use it are imported on first use only. The first compilation of a
process is announced on stderr, since it takes a while and happens once per machine.
"""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numba
from numba.core import event as _event
from numba.extending import register_jitable

_njit: Any = numba.njit
_jitable: Any = register_jitable
event: Any = _event
_EXACT: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
# sums may be reordered and fused; NaN and infinity keep their meaning, so that divergence is seen
_REORDERED: dict[str, Any] = {**_EXACT, "fastmath": {"reassoc", "contract", "nsz"}}
# parts are not called from Python, and a wrapper takes as long to compile as a short function
_PART: dict[str, Any] = {"forceinline": True, "no_cpython_wrapper": True}


class Compiler:
    """A decorator that compiles functions with certain options of numba.

    Parameters
    ----------
    cached
        Whether the machine code is kept on disk.
    options
        Options of ``numba.njit``.
    """

    def __init__(self, cached: bool, **options: Any) -> None:
        self._cached, self._options = cached, options

    @property
    def in_place(self) -> Compiler:
        """For functions that create no arrays: numba need not count references, and compiles a third faster."""
        return Compiler(self._cached, **self._options, _nrt=False)

    def __call__(self, function: Callable[..., Any]) -> Any:
        """The compiled function.

        Machine code contains the functions that it calls, wherever they stand, but numba looks for changes in the
        function's own file only. So the stamp of that file becomes one of all files of its folder and of those
        which are for all: a compiled function calls compiled functions of its own folder only.
        """
        dispatcher = _njit(cache=self._cached, **self._options)(function)
        if self._cached:
            with suppress(AttributeError):  # without compilation or without a folder for the cache there is no stamp
                file = dispatcher._cache._cache_file
                file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
                file._load_index = partial(_index_or_nothing, file._load_index)
        return dispatcher


compiled = Compiler(True, **_EXACT)
"""Compile a function at its first call, or read the machine code that an earlier process kept on disk."""

reordered = Compiler(True, **_REORDERED)
"""As `compiled`, with sums in whatever order is fastest."""

part = Compiler(False, **_EXACT, **_PART)
"""Make a function part of each compiled function that calls it.

Otherwise a process may run the copy that another function was compiled with, which rounds in another order where sums
are reordered: which copy depends on what else was compiled in this process or read from the disk.
"""

reordered_part = Compiler(False, **_REORDERED, **_PART)
"""As `part`, with sums in whatever order is fastest."""


def callable_parts(functions: Iterable[Callable[..., Any]]) -> None:
    """Let compiled functions call plain ones, which become parts of them (`topograph.deferring`)."""
    for function in functions:
        _jitable(**_EXACT, **_PART, _nrt=False)(function)


def _index_or_nothing(load: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """What is on disk; nothing where it names classes of an earlier version that have moved."""
    try:
        return load()
    except (ImportError, AttributeError):
        return {}


@lru_cache
def _stamp(folder: Path) -> str:
    digest = hashlib.sha256()
    shared = (
        Path(__file__).with_name(name) for name in ("compiling.py", "lanes.py", "tiles.py", "seats.py", "turns.py")
    )
    for path in (*shared, *sorted(folder.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Watcher(_event.Listener):
    """Says so when a process begins to compile functions of this distribution, and collects no garbage meanwhile.

    Numba makes so many objects that all live on that collections take a fifth of the time.
    """

    def __init__(self) -> None:
        self._announced = False
        self._depth = 0  # functions compile the functions that they call
        self._was_enabled = False

    def on_start(self, happening: Any) -> None:
        if not _is_ours(happening):
            return
        if not self._announced:
            self._announced = True
            print("topograph: compiling, once per machine; this takes a few seconds", file=sys.stderr, flush=True)
        if self._depth == 0:
            self._was_enabled = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, happening: Any) -> None:
        if not _is_ours(happening):
            return
        self._depth -= 1
        if self._depth == 0 and self._was_enabled:
            gc.enable()


def _is_ours(happening: Any) -> bool:
    """Whether it is a function of this distribution that is compiled."""
    module = str(happening.data["dispatcher"].py_func.__module__)  # None for functions made by exec
    return module.startswith(("topograph.", "trainers."))


event.register("numba:compile", _Watcher())
