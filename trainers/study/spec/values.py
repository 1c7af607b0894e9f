"""Values of a grid: one, a list, or a range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from topograph.checks import check_choice, check_integer, check_real
from trainers.study.spec.faults import SpecFault

MAX_VALUES = 1_000_000
"""Largest number of values of one list or range."""

_RANGE_KEYS = {"from", "to", "step", "factor", "count", "scale"}


def is_range(value: Any) -> bool:
    """Whether a value is written as a range: ``{ from = 1, to = 9 }``."""
    return isinstance(value, Mapping) and "from" in value


def expand(value: Any) -> list[Any]:
    """A value, a list or a range as a list; a list may hold ranges among its values.

    ================================================  =====================================
    ``{ from = 0, to = 9 }``                          0, 1, …, 9
    ``{ from = 0, to = 1, step = 0.25 }``             0, 0.25, …, 1
    ``{ from = 1, to = 64, factor = 2 }``             1, 2, 4, …, 64
    ``{ from = 0, to = 1, count = 5 }``               5 values, evenly spaced
    ``{ from = 0.001, to = 1, count = 4, scale = "log" }``  0.001, 0.01, 0.1, 1
    ================================================  =====================================

    Examples
    --------
    >>> expand([0, {"from": 1, "to": 8, "factor": 2}])
    [0, 1, 2, 4, 8]
    >>> expand({"from": 0, "to": 0.5, "step": 0.25})
    [0, 0.25, 0.5]
    """
    if is_range(value):
        return _range(value)
    if isinstance(value, (list, tuple, range)):
        return [item for entry in value for item in (expand(entry) if is_range(entry) else [entry])]
    return [value]


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """The distinct values, in order."""
    try:
        return tuple(dict.fromkeys(values))
    except TypeError:
        raise SpecFault("must be one value, a list or a range; it cannot hold lists or tables") from None


def _range(entry: Mapping[str, Any]) -> list[float]:
    unknown = set(entry) - _RANGE_KEYS
    ways = [key for key in ("step", "factor", "count") if key in entry]
    if unknown or "to" not in entry or len(ways) > 1 or ("scale" in entry and ways != ["count"]):
        raise SpecFault(
            "a range is { from = …, to = … } with one of step = …, factor = …, count = … (and scale = 'log' beside "
            f"count), but got {dict(entry)!r}"
        )
    first, last = check_real("from", entry["from"]), check_real("to", entry["to"])
    if last < first:
        raise SpecFault(f"a range goes upwards: from must not exceed to, but got {dict(entry)!r}")
    if "factor" in entry:
        factor = check_real("factor", entry["factor"], low=1, include_low=False)
        first = check_real("from", first, low=0, include_low=False)
        _check_length(math.log(last / first) / math.log(factor), entry)
        steps = math.floor(math.log(last / first) / math.log(factor) + 1e-9)
        values = [first * factor**i for i in range(steps + 1)]
    elif "count" in entry:
        count = check_integer("count", entry["count"], low=1)
        _check_length(count, entry)
        shares = [i / (count - 1) for i in range(count)] if count > 1 else [0.0]
        if check_choice("scale", entry.get("scale", "linear"), ("linear", "log")) == "log":
            first = check_real("from", first, low=0, include_low=False)
            values = [first * (last / first) ** share for share in shares]
        else:
            values = [first + (last - first) * share for share in shares]
    else:
        step = check_real("step", entry.get("step", 1), low=0, include_low=False)
        whole = [entry["from"], entry["to"], entry.get("step", 1)]
        _check_length((last - first) / step, entry)
        if all(isinstance(number, int) for number in whole):  # seeds may have more digits than a float
            return list(range(whole[0], whole[1] + 1, whole[2]))
        values = [first + step * i for i in range(math.floor((last - first) / step + 1e-9) + 1)]
    return [_tidy(value) for value in values]


def _check_length(length: float, entry: Mapping[str, Any]) -> None:
    if length > MAX_VALUES:
        raise SpecFault(f"a range has at most {MAX_VALUES:,} values, but {dict(entry)!r} has {length:,.0f}")


def _tidy(value: float) -> float:
    """Round away floating-point noise: 0.1 + 0.2 becomes 0.3, and 3.0 becomes 3."""
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() else rounded
