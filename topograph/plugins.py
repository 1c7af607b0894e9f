"""One door for plug-ins: everything registered under an entry-point group, ours included, found by name."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, TypeVar

from topograph.errors import MissingDependencyError, PluginError

Named = TypeVar("Named")
"""A class of plug-ins whose objects have a ``name``."""
_OURS = "topograph"  # the entry point of what this package brings; it comes first


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


@cache
def named_plugins(group: str, kind: type[Named]) -> dict[str, Named]:
    """Everything of one class that is registered under a group, by its own name: ours first, then by entry point.

    An entry point names one object, a sequence of them, or a module or package: then all objects of the class that
    it and its modules hold.

    Raises
    ------
    PluginError
        When a plug-in cannot be loaded, holds something else, or names what exists already.
    """
    plugins: dict[str, Named] = {}
    entries = registered(group)
    for entry in sorted(entries.values(), key=lambda entry: (entry.name != _OURS, entry.name)):
        for plugin in _objects(entry, kind):
            name: str = plugin.name  # type: ignore[attr-defined]
            if plugins.setdefault(name, plugin) is not plugin:
                raise PluginError(
                    f"the plug-in {entry.name!r} ({entry.value}) names a {kind.__name__.lower()} {name!r}, which "
                    "exists already; give it another name"
                )
    return plugins


def load_reference(reference: str, kind: str) -> Any:
    """The object that ``"module:attribute"`` names; modules in the working folder are found last.

    Parameters
    ----------
    reference
        What names it.
    kind
        What it is to be, for messages, such as ``"trainer"``.

    Raises
    ------
    PluginError
        When there is no such module or attribute, or the module cannot be imported.
    MissingDependencyError
        Passed through: it already says which extra to install.
    """
    name, _, attribute = reference.partition(":")
    try:
        found: Any = _import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found
    except MissingDependencyError:
        raise
    except Exception as error:  # of somebody else's module, any may come
        raise PluginError(
            f"the {kind} {reference!r} could not be loaded: {type(error).__name__}: {error}. It must be 'module:"
            f"{'Class' if kind == 'trainer' else 'function'}', with the module in the working folder or installed"
        ) from error


def _import_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        folder = os.getcwd()
        if error.name != name.partition(".")[0] or folder in sys.path:
            raise
    sys.path.append(folder)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _objects(entry: EntryPoint, kind: type[Named]) -> Iterator[Named]:
    loaded = load_plugin(entry)
    if isinstance(loaded, ModuleType):
        for module in (loaded, *_submodules(loaded)):
            yield from (value for value in vars(module).values() if isinstance(value, kind))
        return
    for value in [loaded] if isinstance(loaded, kind) or not isinstance(loaded, (list, tuple)) else loaded:
        if not isinstance(value, kind):
            raise PluginError(
                f"the plug-in {entry.name!r} ({entry.value}) holds {value!r}, which is not a {kind.__name__}"
            )
        yield value


def _submodules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(getattr(package, "__path__", ()), package.__name__ + "."):
        yield importlib.import_module(found.name)
