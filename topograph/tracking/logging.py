"""`logger`: any function that takes numbers by name, called in the way that it takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from topograph.errors import InvalidParameterError


def logger(log: Callable[..., Any]) -> Callable[[Mapping[str, float], int], None]:
    """A function of numbers by name and of a step, that calls ``log`` with ``step=`` where it takes that.

    Examples
    --------
    >>> logger(lambda values, step: print(step, values))({"fc1/density": 0.5}, 3)
    3 {'fc1/density': 0.5}
    >>> logger(print)({"fc1/density": 0.5}, 3)
    {'fc1/density': 0.5}
    """
    if not callable(log):
        raise InvalidParameterError(f"log must be a function such as wandb.log, but got log={log!r}")
    try:
        parameters = inspect.signature(log).parameters.values()
        takes_step = any(parameter.name == "step" for parameter in parameters)
    except (TypeError, ValueError):  # some built-in functions do not tell
        takes_step = False

    def call(values: Mapping[str, float], step: int) -> None:
        if takes_step:
            log(dict(values), step=step)
        else:
            log(dict(values))

    return call
