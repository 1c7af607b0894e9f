"""Data sets of a study: read once per process, by name, and checked by content."""

from __future__ import annotations

import platform
from functools import lru_cache

from topograph.errors import InvalidDatasetError
from trainers.datasets import Dataset, load_dataset


@lru_cache(maxsize=2)
def loaded(name: str) -> Dataset:
    """A data set by name; data sets do not travel with tasks."""
    return load_dataset(name)


def checked(name: str, content_hash: str) -> Dataset:
    """A data set whose content is that of the study's plan.

    Parameters
    ----------
    name
        Name of the data set.
    content_hash
        Hash of its content when the study was planned; empty when it has not been.

    Raises
    ------
    InvalidDatasetError
        When the data have other content.

    Examples
    --------
    >>> checked("digits", "").n_classes
    10
    """
    data = loaded(name)
    if content_hash and data.content_hash != content_hash:
        raise InvalidDatasetError(
            f"{name} on {platform.node()} has other content ({data.content_hash[:12]}…) than where the study was begun "
            f"({content_hash[:12]}…): copy the same files to all machines"
        )
    return data
