"""`get_trainer` and the registry behind it: built-in trainers come through the same entry points as anyone's."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from topograph.errors import MissingDependencyError, PluginError, UnknownNameError
from topograph.plugins import load_plugin, registered
from trainers.protocol import MultiTrainer, Trainer

if TYPE_CHECKING:
    import pandas as pd

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
    """Look a trainer up by name; a trainer object passes through.

    Raises
    ------
    UnknownNameError
        When no trainer has that name; the message lists the registered ones.
    MissingDependencyError
        When a package that it needs is not installed; the message names the extra that brings it.
    PluginError
        When it cannot be loaded, or is not a trainer.

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


def describe_trainers() -> pd.DataFrame:
    """All registered trainers, including those that cannot be used here: one row per trainer, indexed by name.

    Columns: ``summary`` (first line of its documentation), ``many`` (whether it has `MultiTrainer.train_many`),
    ``reason`` (why it cannot be used, with what to install; empty where it can).

    Examples
    --------
    >>> describe_trainers().loc["numpy", ["many", "reason"]].to_list()
    [False, '']
    """
    import pandas as pd

    rows = {}
    for name, entry in sorted(registered(GROUP).items()):
        try:
            trainer = _make(entry)
            summary = (inspect.getdoc(type(trainer)) or "").partition("\n")[0]
            rows[name] = {"summary": summary, "many": isinstance(trainer, MultiTrainer), "reason": ""}
        except (MissingDependencyError, PluginError) as error:
            rows[name] = {"summary": "", "many": False, "reason": str(error)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trainer")


def _make(entry: EntryPoint) -> Trainer:
    make = load_plugin(entry)
    try:
        trainer = make()
    except MissingDependencyError:
        raise
    except Exception as error:  # others' code: whatever it raises, the other trainers can still be used
        raise PluginError(
            f"the plug-in {entry.name!r} ({entry.value}) failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(trainer, Trainer):
        raise PluginError(f"the plug-in {entry.name!r} ({entry.value}) has no name or no method train")
    return trainer
