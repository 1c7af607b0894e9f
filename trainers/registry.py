"""`get_trainer` and the registry behind it: built-in trainers come through the same entry points as anyone's."""

from __future__ import annotations

from topograph.errors import PluginError, UnknownNameError
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

    Examples
    --------
    >>> get_trainer("numpy").name
    'numpy'
    """
    if not isinstance(trainer, str):
        if isinstance(trainer, Trainer):
            return trainer
        raise PluginError(f"a trainer has a name and a method train, but {type(trainer).__name__} does not")
    entries = registered(GROUP)
    if trainer not in entries:
        raise UnknownNameError.among("trainer", trainer, entries)
    found = load_plugin(entries[trainer])()
    if not isinstance(found, Trainer):
        raise PluginError(f"the plug-in {trainer!r} ({entries[trainer].value}) has no name or no method train")
    return found
