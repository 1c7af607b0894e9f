"""One door for plug-ins: everything registered under an entry-point group, ours included, found by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from topograph.errors import MissingDependencyError, PluginError


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, without loading any of them."""
    return {entry.name: entry for entry in entry_points(group=group)}


def load_plugin(entry: EntryPoint) -> Any:
    """Import what an entry point names.

    Raises
    ------
    PluginError
        When the import fails; the message names the distribution that registered it.
    MissingDependencyError
        Passed through: it already says which extra to install.
    """
    try:
        return entry.load()
    except MissingDependencyError:
        raise
    except Exception as error:
        source = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
        raise PluginError(
            f"the plug-in {entry.name!r}{source} ({entry.value}) could not be loaded: {type(error).__name__}: {error}"
        ) from error
