"""Published studies: results that come with the package, by name."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from topograph.errors import StoreError, UnknownNameError
from trainers.study.publishing import PublishedStudy, is_published, open_published

_FOLDER = Path(str(files("analysis"))) / "published_results"


def available_published() -> list[str]:
    """The names of the studies whose results come with this package.

    Examples
    --------
    >>> available_published()
    ['attention', 'compression', 'convolutional', 'paper', 'recurrent']
    """
    return sorted(folder.name for folder in _FOLDER.iterdir() if is_published(folder)) if _FOLDER.is_dir() else []


def published_folder(name: str) -> Path:
    """The folder of a published study.

    Raises
    ------
    StoreError
        When this installation has no published results at all.
    UnknownNameError
        When none has this name.
    """
    names = available_published()
    if not names:
        raise StoreError(
            f"this installation has no published results: {_FOLDER} is missing or empty. Install topograph anew, or "
            "take that folder from its repository"
        )
    if name not in names:
        raise UnknownNameError.among("published study", name, names)
    return _FOLDER / name


def find_study(source: str | os.PathLike[str]) -> PublishedStudy | None:
    """As `open_study`; None for what is neither the folder of a published study nor, where no file has it, its name.

    Examples
    --------
    >>> find_study("digits.sqlite") is None
    True
    """
    if is_published(source):
        return open_published(source)
    named = not Path(source).is_file() and os.fspath(source) in available_published()
    return open_study(source) if named else None


def open_study(source: str | os.PathLike[str]) -> PublishedStudy:
    """A published study by its name, or by its folder where there is one.

    Parameters
    ----------
    source
        A name, such as ``"paper"``, or the path of a folder that ``topograph study publish`` wrote.

    Raises
    ------
    StoreError, UnknownNameError
        When there is none, or it is damaged or of another version.

    Examples
    --------
    >>> open_study("paper").card.name
    'paper'
    """
    name = os.fspath(source)
    is_path = is_published(source) or name != Path(source).name
    if is_path or (Path(source).exists() and name not in available_published()):
        return open_published(source)
    return open_published(published_folder(name))
