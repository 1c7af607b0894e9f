"""`Estimate`: one spectral number together with the evidence for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from topograph.errors import ConvergenceError


@dataclass(frozen=True)
class Estimate:
    """One eigenvalue or singular value, and how far it can be trusted.

    Parameters
    ----------
    value
        The number; NaN when it is undefined or was not reached.
    residual
        Norm of the residual of its eigenvector, rounding included: an eigenvalue of the matrix lies within ``residual``
        of ``value``. 0 for an exact value.
    method
        How it was found: ``"components"``, ``"closed_form"``, ``"dense"``, ``"lanczos"``, ``"inverse"``.
    steps
        Number of products with the matrix, or of solves; 0 where that has no meaning.
    reason
        Why the value is NaN; None when it is a number.
    low, high
        The interval that is guaranteed to hold the quantity asked for, not just any eigenvalue. Without them,
        ``value ∓ residual``. `topograph.spectral.lanczos` explains the guarantee of an iterative value.

    Examples
    --------
    >>> Estimate.exact(0.0, "components")
    Estimate(value=0.0, residual=0.0, method='components', steps=0, reason=None, low=0.0, high=0.0)
    >>> Estimate.undefined("the graph has no edges").value
    nan
    """

    value: float
    residual: float
    method: str
    steps: int = 0
    reason: str | None = None
    low: float = math.nan
    high: float = math.nan

    def __post_init__(self) -> None:
        if math.isnan(self.low):
            object.__setattr__(self, "low", self.value - self.residual)
        if math.isnan(self.high):
            object.__setattr__(self, "high", self.value + self.residual)

    @classmethod
    def exact(cls, value: float, method: str) -> Estimate:
        """A value whose rounding does not matter."""
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

    @property
    def width(self) -> float:
        """Width of the guaranteed interval."""
        return self.high - self.low

    def require(self) -> float:
        """The value, NaN where none exists; raises `ConvergenceError` where one exists but was not reached."""
        if self.is_failure:
            raise ConvergenceError(str(self.reason))
        return self.value

    def map(self, function: Callable[[float], float], slope: float) -> Estimate:
        """The estimate of a monotone ``function`` of the value, with ``slope`` its derivative there.

        Examples
        --------
        >>> Estimate(4.0, 0.1, "dense").map(math.sqrt, 0.25).residual
        0.025
        """
        if self.reason is not None:
            return self
        ends = sorted([function(self.low), function(self.high)])
        return replace(self, value=function(self.value), residual=abs(slope) * self.residual, low=ends[0], high=ends[1])
