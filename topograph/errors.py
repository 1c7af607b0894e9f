"""One error tree for the whole project.

Every error raised on purpose is a `TopographError`; each leaf also inherits the builtin that a caller would
expect, so ``except ValueError`` keeps working. A message says what was given, what is allowed, what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


class TopographError(Exception):
    """Root of every error that topograph, trainers and analysis raise on purpose."""


class InvalidMaskError(TopographError, ValueError):
    """A mask, an edge list or a mask file cannot be read as a bipartite graph."""


class InvalidParameterError(TopographError, ValueError):
    """An argument is outside what is allowed."""


class TopologyMismatchError(TopographError, ValueError):
    """Layers do not chain, or a topology does not fit the data."""


def available_names(name: object, names: Iterable[str]) -> str:
    """Names for a message; of more than 40, as a study's frame has columns, those most like the one that was given.

    Examples
    --------
    >>> available_names("gap", [f"l{layer}_{metric}" for layer in range(30) for metric in ("edges", "gap")])[:32]
    'l0_gap, l1_gap, l2_gap, l3_gap, '
    >>> available_names("gap", map(str, range(50)))[-15:]
    '39, and 10 more'
    """
    shown = list(names)
    if len(shown) <= _MOST:
        return ", ".join(shown) or "none"
    parts = [part for part in re.split(r"[\W_]+", str(name).lower()) if len(part) > 2]
    hits = {known: sum(part in known.lower() for part in parts) for known in shown}
    like = {known: SequenceMatcher(None, str(name), known).ratio() for known in shown}
    ranked = sorted(shown, key=lambda known: (-hits[known], -like[known]))
    return f"{', '.join(ranked[:_MOST])}, and {len(shown) - _MOST} more"


_MOST = 40  # names that a message lists


class UnknownNameError(TopographError, KeyError):
    """A name is in no registry; the message lists the names that are.

    Examples
    --------
    >>> raise UnknownNameError.among("construction", "fibonaci", ["fibonacci_rotating", "dense"])
    Traceback (most recent call last):
    ...
    topograph.errors.UnknownNameError: unknown construction 'fibonaci'; did you mean 'fibonacci_rotating'? \
Available: dense, fibonacci_rotating
    """

    @classmethod
    def among(cls, kind: str, name: object, available: Iterable[str]) -> UnknownNameError:
        """Build the error for ``name``, which is not one of ``available``."""
        names = sorted(available)
        close = get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        return cls(f"unknown {kind} {name!r}{hint} Available: {available_names(name, names)}")

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class ConvergenceError(TopographError, ArithmeticError):
    """An iterative solver did not reach the tolerance; the last value is never returned in its place."""


class MissingDependencyError(TopographError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class PluginError(TopographError, RuntimeError):
    """A plug-in is registered but could not be loaded."""


class DatasetNotFoundError(TopographError, FileNotFoundError):
    """The files of a data set are not on this machine; the message says how to get them."""


class InvalidDatasetError(TopographError, ValueError):
    """A data set was found but its content is broken or inconsistent."""


class TrainingError(TopographError):
    """One network could not be trained; another one on the same data may well be."""


class TrainingDivergedError(TrainingError, ArithmeticError):
    """The loss became NaN or infinite while training."""


class BudgetError(TrainingError, InvalidParameterError):
    """A layer has fewer edges than its compression has parameters at least."""


class UnsupportedSettingError(TopographError, ValueError):
    """A trainer was asked for a setting that it does not offer."""


class UnsupportedModelError(TopographError, ValueError):
    """A model does something that cannot be read as edges; the message names the operation."""


class InvalidModelError(TopographError, ValueError):
    """A model cannot be made, or does not fit the data or the masks; the message names the model."""


class ConformanceError(TopographError, AssertionError):
    """A trainer breaks the contract; the message lists what was expected, what came, and where it is written."""


class SpecError(TopographError, ValueError):
    """A study specification is broken; the message names the key and what is allowed."""


class StoreError(TopographError, RuntimeError):
    """A study store cannot be opened, read or written."""


class WorkerError(TopographError, RuntimeError):
    """The workers of a study are gone: a cluster that no longer answers, a pool that broke."""


class InsufficientDataError(TopographError, ValueError):
    """There is too little data, or too little variation in it, for the analysis asked for."""
