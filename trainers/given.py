"""Trainers without packaging: an object that is given in Python, or the name of a class as ``"module:Class"``."""

from __future__ import annotations

from typing import Any

from topograph.errors import PluginError
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
