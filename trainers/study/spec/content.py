"""`check_content`: a specification holds plain values only, in reasonable numbers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from trainers.registry import name_trainer
from trainers.study.spec.faults import Path, SpecFault, at
from trainers.study.spec.values import MAX_VALUES

_DEPTH = 32
_LARGEST = 2**63 - 1
_ALLOWED = "a string, a number, true or false, a list or a table"


def check_content(content: Any) -> dict[str, Any]:
    """Accept a specification; returns it as dictionaries, lists, strings, numbers and truth values.

    A trainer that is given as an object is replaced by its name, under which this process knows it from now on.

    Raises
    ------
    SpecError
        The message names the key of what is not allowed: dates, numbers of more than 64 bits, text that is not
        Unicode, nesting without end.

    Examples
    --------
    >>> check_content({"grid": {"degrees": (1, 2), "training_seeds": range(3)}})
    {'grid': {'degrees': [1, 2], 'training_seeds': [0, 1, 2]}}
    """
    if not isinstance(content, Mapping):
        raise SpecFault(f"a study is a table of keys and values, but got an object of type {type(content).__name__}")
    plain: dict[str, Any] = _plain(content, (), 0)
    return plain


def _plain(value: Any, path: Path, depth: int) -> Any:
    if depth > _DEPTH:
        raise SpecFault(f"is nested more than {_DEPTH} levels deep", path[:3])
    if path and path[-1] in ("trainer", "trainers") and hasattr(value, "train"):
        with at(path):
            return name_trainer(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        table = {}
        for key, entry in value.items():
            if not isinstance(key, str):
                raise SpecFault(f"keys are strings, but one is of type {type(key).__name__}", path)
            table[_text(key, path)] = _plain(entry, (*path, key), depth + 1)
        return table
    if isinstance(value, (list, tuple, range, np.ndarray)):
        if len(value) > MAX_VALUES:
            raise SpecFault(f"has {len(value):,} values; at most {MAX_VALUES:,} are allowed", path)
        return [
            _plain(entry, (*path, number) if len(path) == 1 and isinstance(entry, Mapping) else path, depth + 1)
            for number, entry in enumerate(value)
        ]
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise SpecFault(f"is a number of {value.bit_length()} bits, but 63 are allowed: at most {_LARGEST}", path)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (datetime.date, datetime.time)):
        raise SpecFault(f"is a date or a time, but must be {_ALLOWED}; put it into quotes to make it a string", path)
    raise SpecFault(f"is of type {type(value).__name__}, but must be {_ALLOWED}", path)


def _text(value: str, path: Path) -> str:
    if "\0" in value or (not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise SpecFault(f"holds what is not text: {value!a}"[:200], path)
    return value
