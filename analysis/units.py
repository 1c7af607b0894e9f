"""`Unit`: the unit that changes of an outcome are told in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import Enum

import pandas as pd

from analysis.frame.names import column_phrase, split_name


class Unit(Enum):
    """The unit of a change: hundredths of a share, or the outcome's own."""

    POINTS = "points"
    OWN = "own"

    @property
    def scale(self) -> float:
        """What a change in the outcome's own unit is multiplied by."""
        return 100.0 if self is Unit.POINTS else 1.0

    def of(self, outcome: str) -> str:
        """The words between a number and what follows: ``points of test accuracy``, or ``of bleu``."""
        words = column_phrase(outcome)
        return f"points of {words}" if self is Unit.POINTS else f"of {words}, in its own unit"

    def formatter(self, *values: float) -> Callable[[float], str]:
        """A function that writes numbers of the size of these, with a sign.

        Examples
        --------
        >>> Unit.POINTS.formatter(0.5, -0.2)(0.5), Unit.OWN.formatter(0.0004)(0.0004), Unit.OWN.formatter(350.0)(2.0)
        ('+0.50', '+0.00040', '+2')
        """
        largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        if largest == 0:
            return "{:+.2f}".format
        digits = max(0, 1 - math.floor(math.log10(largest)))
        return f"{{:+.{max(2, digits) if self is Unit.POINTS else digits}f}}".format


_SHARE = re.compile(r"(?i)(^|[^a-z])(acc|accuracy|top[ _-]?[15])([^a-z]|$)")


def outcome_unit(frame: pd.DataFrame, outcome: str) -> Unit:
    """Points for an accuracy that is a share, the outcome's own unit for all else.

    Examples
    --------
    >>> table = pd.DataFrame({"test_accuracy": [0.8, 0.9], "bleu": [27.1, 28.3], "acc": [76.0, 77.0]})
    >>> [outcome_unit(table, name).value for name in table]
    ['points', 'own', 'own']
    """
    name = split_name(outcome)[1]
    values = frame[outcome].dropna()
    is_share = bool(_SHARE.search(name)) and not name.endswith("_logit")
    return Unit.POINTS if is_share and len(values) and values.min() >= 0 and values.max() <= 1 else Unit.OWN
