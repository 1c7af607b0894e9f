"""The words of a command line as values."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError

from topograph.errors import InvalidParameterError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def words(text: str) -> list[str]:
    """``"a, b"`` → ``["a", "b"]``."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[float]:
    """``"30,10"`` → ``[30.0, 10.0]``."""
    try:
        return [float(word) for word in words(text)]
    except ValueError:
        raise ArgumentTypeError(f"takes numbers with commas between, such as 30,10, but got {text!r}") from None


def whole_numbers(text: str) -> list[int]:
    """``"784,300,10"`` → ``[784, 300, 10]``."""
    try:
        return [int(word) for word in words(text)]
    except ValueError:
        raise ArgumentTypeError(f"takes whole numbers with commas between, such as 784,10, but got {text!r}") from None


def one_or_each(values: list[float] | None) -> list[float] | float | None:
    """A list of one is that one, for all layers."""
    return values[0] if values is not None and len(values) == 1 else values


def setting(text: str, option: str = "--set") -> tuple[str, object]:
    """``"epochs=10"`` → ``("epochs", 10)``; a value that is neither a number nor JSON is a word.

    Examples
    --------
    >>> setting("epochs=10"), setting("loss=mse")
    (('epochs', 10), ('loss', 'mse'))
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidParameterError(f"{option} takes NAME=VALUE, such as epochs=10, but got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def n_bytes(text: str) -> int:
    """A size such as 4G, 500M or 1.5GB.

    Examples
    --------
    >>> n_bytes("4G"), n_bytes("1.5 GB"), n_bytes("800")
    (4000000000, 1500000000, 800)
    """
    number = text.strip().lower().removesuffix("b").strip()
    unit = number[-1:] if number[-1:].isalpha() else ""
    try:
        return int(float(number.removesuffix(unit)) * _UNITS[unit])
    except (KeyError, ValueError):
        raise ArgumentTypeError(f"takes a number with K, M, G or T, such as 4G, but got {text!r}") from None
