"""`Estimate`: one spectral number together with the evidence for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from topograph.errors import ConvergenceError


@dataclass(frozen=True)
class Estimate:
    """One eigenvalue or singular value, and how far it can be trusted.

    Parameters
    ----------
    value
        The number; NaN when it is undefined or was not reached.
    residual
        Guaranteed distance: an eigenvalue of the matrix lies within ``residual`` of ``value``. 0 for an exact value.
    method
        How it was found: ``"components"``, ``"closed_form"``, ``"dense"``, ``"iterative"``.
    steps
        Number of matrix products spent; 0 where that has no meaning.
    reason
        Why the value is NaN; None when it is a number.

    Examples
    --------
    >>> Estimate.exact(0.0, "components")
    Estimate(value=0.0, residual=0.0, method='components', steps=0, reason=None)
    >>> Estimate.undefined("the graph has no edges").value
    nan
    """

    value: float
    residual: float
    method: str
    steps: int = 0
    reason: str | None = None

    @classmethod
    def exact(cls, value: float, method: str) -> Estimate:
        """A value known without rounding that matters."""
        return cls(float(value), 0.0, method)

    @classmethod
    def undefined(cls, reason: str) -> Estimate:
        """No value exists; ``reason`` says why."""
        return cls(math.nan, math.nan, "undefined", 0, reason)

    @classmethod
    def failed(cls, reason: str, method: str, steps: int = 0) -> Estimate:
        """A value exists, but the solver did not reach it."""
        return cls(math.nan, math.nan, method, steps, reason)

    @property
    def is_failure(self) -> bool:
        """Whether a value exists but was not reached."""
        return self.reason is not None and self.method != "undefined"

    def require(self) -> float:
        """The value, NaN where none exists; raises `ConvergenceError` where one exists but was not reached."""
        if self.is_failure:
            raise ConvergenceError(str(self.reason))
        return self.value
