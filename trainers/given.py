"""Trainers without packaging: an object that is given in Python, or the name of a class as ``"module:Class"``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from topograph.errors import MissingDependencyError, PluginError
from trainers.protocol import Trainer

_GIVEN: dict[str, Trainer] = {}


def check_trainer_object(trainer: Any) -> Trainer:
    """Accept an object that is a trainer.

    Raises
    ------
    PluginError
    """
    if isinstance(trainer, type):
        raise PluginError(f"a trainer is an object, but got the class {trainer.__name__}: give {trainer.__name__}()")
    if not isinstance(trainer, Trainer):
        raise PluginError(f"a trainer has a name and a method train, but {type(trainer).__name__} does not")
    if not isinstance(trainer.name, str) or not trainer.name or ":" in trainer.name:
        raise PluginError(
            f"the name of a trainer is a word without a colon, but that of {type(trainer).__name__} is {trainer.name!r}"
        )
    return trainer


def give_trainer(trainer: Trainer) -> str:
    """Make a trainer object known under its own name in this process; returns the name.

    A later object of the same name takes its place.
    """
    _GIVEN[trainer.name] = trainer
    return trainer.name


def given_trainers() -> dict[str, Trainer]:
    """The trainer objects of this process by name."""
    return dict(_GIVEN)


def load_reference(reference: str) -> Any:
    """The object that ``"module:attribute"`` names; modules in the working folder are found last.

    Raises
    ------
    PluginError
        When there is no such module or attribute, or the module cannot be imported.
    MissingDependencyError
        Passed through: it already says which extra to install.
    """
    name, _, attribute = reference.partition(":")
    try:
        found: Any = _import(name)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found
    except MissingDependencyError:
        raise
    except Exception as error:  # of somebody else's module, any may come
        raise PluginError(
            f"the trainer {reference!r} could not be loaded: {type(error).__name__}: {error}. It must be "
            "'module:Class', with the module in the working folder or installed"
        ) from error


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        folder = os.getcwd()
        if error.name != name.partition(".")[0] or folder in sys.path:
            raise
    sys.path.append(folder)
    importlib.invalidate_caches()
    return importlib.import_module(name)
