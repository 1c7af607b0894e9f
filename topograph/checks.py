"""All guards in one file: each returns the value it accepts, or raises an error that echoes the value it was given."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError

Seed = int | np.random.SeedSequence | np.random.Generator
"""What is accepted wherever randomness is drawn."""


def check_integer(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """Accept an integer (or an integral float such as ``30.0``) in ``[low, high]``.

    Examples
    --------
    >>> check_integer("degree", 30, low=1, high=300)
    30
    >>> check_integer("degree", 301, low=1, high=300)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: degree must be a whole number from 1 to 300, but got degree=301
    """
    if type(value) is int and low <= value and (high is None or value <= high):
        return value
    allowed = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    problem = InvalidParameterError(f"{name} must be {allowed}, but got {name}={value!r}")
    if isinstance(value, (bool, np.bool_)):
        raise problem
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    try:
        number = operator.index(value)
    except TypeError:
        raise problem from None
    if number < low or (high is not None and number > high):
        raise problem
    return number


def check_real(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    include_low: bool = True,
    include_high: bool = True,
) -> float:
    """Accept a finite real number in the interval from ``low`` to ``high``.

    Examples
    --------
    >>> check_real("momentum", 0.9, low=0, high=1, include_high=False)
    0.9
    >>> check_real("momentum", 1.5, low=0, high=1, include_high=False)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: momentum must be a number in [0, 1), but got momentum=1.5
    """
    left, right = "[" if include_low and low > -math.inf else "(", "]" if include_high and high < math.inf else ")"
    interval = f"{left}{low:g}, {high:g}{right}"
    problem = InvalidParameterError(f"{name} must be a number in {interval}, but got {name}={value!r}")
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise problem
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise problem from None
    above = number >= low if include_low else number > low
    below = number <= high if include_high else number < high
    if not (math.isfinite(number) and above and below):
        raise problem
    return number


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Accept one of the strings ``allowed``.

    Examples
    --------
    >>> check_choice("loss", "mse", ["mse", "cross_entropy"])
    'mse'
    """
    options = list(allowed)
    if not isinstance(value, str) or value not in options:
        raise InvalidParameterError(f"{name} must be one of {', '.join(options)}, but got {name}={value!r}")
    return value


def check_at_most_one(**given: Any) -> None:
    """Refuse arguments that say the same thing in several ways; those that are None were not given.

    Examples
    --------
    >>> check_at_most_one(degree=3, density=None, edges=12)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: give one of degree, density and edges, but got degree=3, edges=12
    """
    said = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(said) > 1:
        *names, last = given
        raise InvalidParameterError(f"give one of {', '.join(names)} and {last}, but got {', '.join(said)}")


def check_density(density: Any, sparsity: Any = None) -> float | None:
    """The share of edges in (0, 1] that a density says, or a sparsity, which is 1 − density; None when neither does.

    Examples
    --------
    >>> check_density(0.1), check_density(None, 0.9), check_density(None)
    (0.1, 0.1, None)
    >>> check_density(0.1, 0.9)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: give one of density and sparsity, but got density=0.1, sparsity=0.9
    """
    check_at_most_one(density=density, sparsity=sparsity)
    if sparsity is not None:
        # 1 − 0.9 is not quite 0.1, but what is meant is
        return round(1 - check_real("sparsity", sparsity, low=0, high=1, include_high=False), 15)
    return None if density is None else check_real("density", density, low=0, high=1, include_low=False)


def check_flag(name: str, value: Any) -> bool:
    """Accept a boolean, and nothing that merely looks like one."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidParameterError(f"{name} must be true or false, but got {name}={value!r}")
    return bool(value)


def check_text(name: str, value: Any) -> str:
    """Accept a string."""
    if not isinstance(value, str):
        raise InvalidParameterError(f"{name} must be a string, but got {name}={value!r}")
    return value


def check_generator(seed: Seed) -> np.random.Generator:
    """Turn a seed into a generator; a generator passes through and is advanced by the caller's draws.

    Examples
    --------
    >>> check_generator(0).integers(1000, size=3).tolist()
    [850, 636, 511]
    """
    if isinstance(seed, (np.random.Generator, np.random.SeedSequence)):
        return np.random.default_rng(seed)
    return np.random.default_rng(check_integer("seed", seed, low=0))
