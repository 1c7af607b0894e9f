"""`Estimates`: one spectral quantity of many graphs, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector


@dataclass(frozen=True, eq=False)
class Estimates:
    """The fields of `Estimate`, each an array over the graphs; ``reasons`` has entries for undefined values only.

    Examples
    --------
    >>> column = Estimates.of([Estimate.exact(2.0, "components"), Estimate.undefined("the graph has no edges")])
    >>> column.value.tolist(), column.reasons
    ([2.0, nan], {1: 'the graph has no edges'})
    >>> column[0]
    Estimate(value=2.0, residual=0.0, method='components', steps=0, reason=None, low=2.0, high=2.0)
    """

    value: Vector
    residual: Vector
    low: Vector
    high: Vector
    methods: npt.NDArray[np.object_]
    steps: npt.NDArray[np.int64]
    reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, estimates: Iterable[Estimate]) -> Estimates:
        """The estimates of several graphs."""
        estimates = list(estimates)
        numbers = [(one.value, one.residual, one.low, one.high) for one in estimates]
        value, residual, low, high = np.array(numbers, dtype=np.float64).reshape(-1, 4).T.copy()
        methods = np.array([one.method for one in estimates], dtype=object)
        steps = np.array([one.steps for one in estimates], dtype=np.int64)
        reasons = {place: one.reason for place, one in enumerate(estimates) if one.reason is not None}
        return cls(value, residual, low, high, methods, steps, reasons)

    @classmethod
    def within(cls, value: Vector, residual: Vector, method: str) -> Estimates:
        """Values with the bounds of their errors."""
        methods = np.full(value.shape, method, dtype=object)
        return cls(value, residual, value - residual, value + residual, methods, np.zeros(value.shape, dtype=np.int64))

    @classmethod
    def of_quantity(cls, spectra: Sequence[Mapping[str, Estimate]], quantity: str) -> Estimates:
        """A quantity from the estimates of several graphs; those that were computed together are copied together."""
        column = next((one.columns[quantity] for one in spectra if isinstance(one, EstimatesOfOne)), None)
        if column is None:
            return cls.of(one[quantity] for one in spectra)
        together = [
            one.place if isinstance(one, EstimatesOfOne) and one.columns[quantity] is column else None
            for one in spectra
        ]
        values = column.take([place or 0 for place in together])
        for place, source in enumerate(together):
            if source is None:
                values.put(place, spectra[place][quantity])
        return values

    def __len__(self) -> int:
        return self.value.size

    def __getitem__(self, place: int) -> Estimate:
        return Estimate(
            float(self.value[place]),
            float(self.residual[place]),
            self.methods[place],
            int(self.steps[place]),
            self.reasons.get(place),
            float(self.low[place]),
            float(self.high[place]),
        )

    def take(self, places: Sequence[int]) -> Estimates:
        """Those of the graphs at these places."""
        chosen = np.array(places, dtype=np.int64)
        return Estimates(
            self.value[chosen],
            self.residual[chosen],
            self.low[chosen],
            self.high[chosen],
            self.methods[chosen],
            self.steps[chosen],
            {to: self.reasons[place] for to, place in enumerate(places) if place in self.reasons},
        )

    def put(self, place: int, estimate: Estimate) -> None:
        """Let an estimate stand for this graph instead."""
        self.value[place], self.residual[place] = estimate.value, estimate.residual
        self.low[place], self.high[place] = estimate.low, estimate.high
        self.methods[place], self.steps[place] = estimate.method, estimate.steps
        self.reasons.pop(place, None)
        if estimate.reason is not None:
            self.reasons[place] = estimate.reason

    # ------------------------------------------------------------------ of graphs without a reason

    def or_zero(self, kept: npt.NDArray[np.bool_], method: str) -> Estimates:
        """Exactly 0, by ``method``, where the value is not kept."""
        return Estimates(
            np.where(kept, self.value, 0.0),
            np.where(kept, self.residual, 0.0),
            np.where(kept, self.low, 0.0),
            np.where(kept, self.high, 0.0),
            np.where(kept, self.methods, method),
            np.where(kept, self.steps, 0),
        )

    def minus(self, other: Estimates) -> Estimates:
        """The difference, whose interval is at most as wide as both together."""
        return Estimates(
            self.value - other.value,
            self.residual + other.residual,
            self.low - other.high,
            self.high - other.low,
            other.methods,
            self.steps + other.steps,
        )

    def from_one(self) -> Estimates:
        """1 minus the value."""
        return Estimates(1.0 - self.value, self.residual, 1.0 - self.high, 1.0 - self.low, self.methods, self.steps)


class EstimatesOfOne(Mapping[str, Estimate]):
    """The estimates of one of many graphs by quantity, made when they are asked for.

    Parameters
    ----------
    columns
        The estimates of all graphs by quantity.
    place
        Which graph.
    """

    def __init__(self, columns: Mapping[str, Estimates], place: int) -> None:
        self.columns, self.place = columns, place

    def __getitem__(self, quantity: str) -> Estimate:
        return self.columns[quantity][self.place]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
