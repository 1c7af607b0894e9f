"""`Format`: one kind of mask file, as an entry point of the group ``topograph.formats`` describes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from topograph.errors import InvalidParameterError
from topograph.masks.source import Source


@dataclass(frozen=True)
class Format:
    """One kind of mask file: how it is recognised, described, opened and tried out.

    ``open`` sees what a file holds; values are read only when an entry is asked for them. It executes nothing that the
    file brings, reaches no path outside the file's folder, and checks every size that the file claims before it
    allocates. Any exception it raises on a broken file becomes an `InvalidMaskError`.

    Parameters
    ----------
    name
        The name it is listed by.
    suffixes
        Endings of the file names, in lower case, such as ``(".npy",)``; the longest that fits a name decides.
    summary
        One line for the table of `load`.
    open
        ``open(path)`` is a context manager that gives a `Source`; the file stays open as long as the context lasts.
    write_samples
        ``write_samples(folder)`` writes small valid files of the format: the tests read them, the fuzzer mutates them.
    in_folders
        Globs of file names. A folder that holds such a file is opened as a whole, with the folder as ``path``.
    extra
        The extra of topograph that reading needs, such as ``"keras"``; empty when it needs none.
    rank
        Of several formats that fit a folder, the one of the lowest rank reads it.
    """

    name: str
    suffixes: tuple[str, ...]
    summary: str
    open: Callable[[Path], AbstractContextManager[Source]]
    write_samples: Callable[[Path], None]
    in_folders: tuple[str, ...] = ()
    extra: str = ""
    rank: int = 0

    def __post_init__(self) -> None:
        for suffix in self.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise InvalidParameterError(
                    f"suffixes must be endings in lower case such as '.npy', but got {suffix!r}"
                )
        if not self.suffixes and not self.in_folders:
            raise InvalidParameterError("a format must have suffixes or in_folders, but got neither")
