"""`get_trainer` and the registry behind it: built-in trainers come through the same entry points as anyone's."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from topograph.errors import MissingDependencyError, PluginError, UnknownNameError
from topograph.plugins import load_plugin, registered
from trainers.protocol import Trainer

GROUP = "topograph.trainers"


def available_trainers() -> tuple[str, ...]:
    """Names of all registered trainers.

    Examples
    --------
    >>> "numpy" in available_trainers()
    True
    """
    return tuple(sorted(registered(GROUP)))


def get_trainer(trainer: str | Trainer) -> Trainer:
    """Look a trainer up by name; an object that is one already passes through.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message lists those there are.
    MissingDependencyError
        When what it needs is not installed; the message names the extra that brings it.
    PluginError
        When it cannot be loaded, or is no trainer.

    Examples
    --------
    >>> get_trainer("numpy").name
    'numpy'
    """
    if not isinstance(trainer, str):
        if isinstance(trainer, type):
            raise PluginError(
                f"a trainer is an object, but got the class {trainer.__name__}: give {trainer.__name__}()"
            )
        if isinstance(trainer, Trainer):
            return trainer
        raise PluginError(f"a trainer has a name and a method train, but {type(trainer).__name__} does not")
    entries = registered(GROUP)
    if trainer not in entries:
        raise UnknownNameError.among("trainer", trainer, entries)
    return _make(entries[trainer])


def describe_trainers() -> dict[str, str]:
    """All registered trainers, also those that cannot be used here: name → why not, empty for those that can.

    Examples
    --------
    >>> describe_trainers()["numpy"]
    ''
    """
    found = {}
    for name, entry in sorted(registered(GROUP).items()):
        try:
            _make(entry)
            found[name] = ""
        except (MissingDependencyError, PluginError) as error:
            found[name] = str(error)
    return found


def _make(entry: EntryPoint) -> Trainer:
    make = load_plugin(entry)
    try:
        found = make()
    except MissingDependencyError:
        raise
    except Exception as error:  # a stranger's: whatever it raises, the others can still be used
        raise PluginError(
            f"the plug-in {entry.name!r} ({entry.value}) failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Trainer):
        raise PluginError(f"the plug-in {entry.name!r} ({entry.value}) has no name or no method train")
    return found
