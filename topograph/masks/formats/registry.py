"""The registered formats, and which of them reads a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from topograph.errors import InvalidMaskError, PluginError
from topograph.masks.formats.format import Format
from topograph.masks.live import available_models
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

GROUP = "topograph.formats"


def available_formats() -> dict[str, Format]:
    """Name → format for everything registered as ``topograph.formats``, ours and everybody's.

    Raises
    ------
    PluginError
        When an entry point names something that is not a `Format`.

    Examples
    --------
    >>> available_formats()["npy"].suffixes
    ('.npy',)
    """
    return named_plugins(GROUP, Format)


def format_of(path: Path) -> Format:
    """The format that reads a file or a folder.

    Raises
    ------
    InvalidMaskError
        When there is none; the message lists the endings that can be read.
    PluginError
        When two formats claim one suffix.

    Examples
    --------
    >>> format_of(Path("mask.npy")).summary
    'one array, inputs × outputs'
    """
    formats = available_formats().values()
    if path.is_dir():
        for one in sorted(formats, key=lambda one: one.rank):
            if any(next(path.glob(glob), None) is not None for glob in one.in_folders):
                return one
        globs = [glob for one in formats for glob in one.in_folders]
        raise InvalidMaskError(f"{path}: holds none of {', '.join(globs)}; name a file instead of the folder")
    name = path.name.lower()
    suffixes: dict[str, Format] = {}
    for one in formats:
        for suffix in one.suffixes:
            if suffixes.setdefault(suffix, one) is not one:
                raise PluginError(
                    f"the formats {suffixes[suffix].name!r} and {one.name!r} both claim the suffix {suffix}"
                )
    fitting = [suffix for suffix in suffixes if name.endswith(suffix)]
    if not fitting:
        raise InvalidMaskError(
            f"{path}: cannot read files ending in {path.suffix or 'nothing'!r}; can read {', '.join(suffixes)}, and "
            "folders of shards"
        )
    return suffixes[max(fitting, key=len)]


def describe_formats() -> pd.DataFrame:
    """What `topograph.load` reads: file formats and live models, plug-ins included.

    Returns
    -------
    pandas.DataFrame
        One row per format, indexed by ``format``: ``reads`` (file endings, names in a folder, or the class of a live
        model), ``summary`` and ``extra``, the extra of topograph to install (empty when none is needed).

    Examples
    --------
    >>> describe_formats().loc["npy", "reads"]
    '.npy'
    """
    import pandas as pd

    rows = [
        (name, ", ".join(one.suffixes or one.in_folders), one.summary, one.extra)
        for name, one in available_formats().items()
    ]
    rows += [(name, kind.type_name, kind.summary, kind.extra) for name, kind in available_models().items()]
    return pd.DataFrame(rows, columns=["format", "reads", "summary", "extra"]).set_index("format")
