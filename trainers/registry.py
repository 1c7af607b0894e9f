"""`get_trainer` and the registry behind it: built-in trainers come through the same entry points as anyone's."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from topograph.errors import MissingDependencyError, PluginError, UnknownNameError
from topograph.plugins import load_plugin, load_reference, registered
from trainers.given import check_trainer_object, give_trainer, given_trainers
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

    Parameters
    ----------
    trainer
        A registered name; ``"module:Class"`` for a class in a module that can be imported, also from the working
        folder; or an object.

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
        return check_trainer_object(trainer)
    entries = registered(GROUP)
    if trainer in entries:
        return _make(entries[trainer])
    if ":" in trainer:
        return _called(load_reference(trainer, "trainer"), f"the trainer {trainer!r}")
    if trainer in given_trainers():
        return given_trainers()[trainer]
    raise UnknownNameError.among("trainer", trainer, entries)


def name_trainer(trainer: str | Trainer) -> str:
    """The name under which `get_trainer` finds a trainer in this process, also one that is given as an object.

    Raises
    ------
    PluginError
        When an object is not a trainer, or has the name of a registered trainer of another class.

    Examples
    --------
    >>> name_trainer(get_trainer("numpy"))
    'numpy'
    """
    if isinstance(trainer, str):
        return trainer
    check_trainer_object(trainer)
    if trainer.name not in registered(GROUP):
        return give_trainer(trainer)
    if type(get_trainer(trainer.name)) is not type(trainer):
        raise PluginError(
            f"a {type(trainer).__name__} has the name {trainer.name!r} of a registered trainer; give it another one"
        )
    return trainer.name


def describe_trainers() -> pd.DataFrame:
    """All registered trainers, including those that cannot be used here: one row per trainer, indexed by name.

    Columns: ``summary`` (first line of its documentation), ``many`` (whether it has `MultiTrainer.train_many`),
    ``reason`` (why it cannot be used, with what to install; empty where it can).

    Examples
    --------
    >>> describe_trainers().loc["numpy", "reason"]
    ''
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
    return _called(load_plugin(entry), f"the plug-in {entry.name!r} ({entry.value})")


def _called(make: Any, source: str) -> Trainer:
    """The trainer that a class or function makes; one that is there already is taken as it is."""
    if isinstance(make, Trainer) and not isinstance(make, type):
        return make
    try:
        trainer = make()
    except MissingDependencyError:
        raise
    except Exception as error:  # others' code: whatever it raises, the other trainers can still be used
        raise PluginError(f"{source} failed: {type(error).__name__}: {error}") from error
    if not isinstance(trainer, Trainer):
        raise PluginError(f"{source} has no name or no method train")
    return trainer
