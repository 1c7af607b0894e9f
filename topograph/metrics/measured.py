"""`Measured`: metrics of many layers, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from topograph.metrics.stacked import Values

Record = tuple[str, str, float, float, str | None]
"""Layer, metric, value, residual, reason."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One row per layer and one column per metric; iterated over, one record after the other, layer by layer.

    Parameters
    ----------
    layers, metrics
        Their names.
    values, residuals
        Shape ``(layers, metrics)``.
    reasons
        For each metric, why values are NaN, by the number of the layer.

    Examples
    --------
    >>> list(Measured.of([("l1", "density", 0.5, 0.0, None)], ["density"]))
    [('l1', 'density', 0.5, 0.0, None)]
    """

    layers: list[str]
    metrics: list[str]
    values: npt.NDArray[np.float64]
    residuals: npt.NDArray[np.float64]
    reasons: list[dict[int, str]]

    @classmethod
    def of(cls, records: Sequence[Record], metrics: list[str]) -> Measured:
        """From records that hold each layer's metrics in the order of ``metrics``."""
        layers = [record[0] for record in records[:: len(metrics)]]
        shape = len(layers), len(metrics)
        reasons: list[dict[int, str]] = [{} for _ in metrics]
        for place, record in enumerate(records):
            if record[4] is not None:
                reasons[place % len(metrics)][place // len(metrics)] = record[4]
        values = np.array([record[2] for record in records], dtype=np.float64).reshape(shape)
        residuals = np.array([record[3] for record in records], dtype=np.float64).reshape(shape)
        return cls(layers, metrics, values, residuals, reasons)

    @classmethod
    def empty(cls, layers: list[str], metrics: list[str]) -> Measured:
        """Room for values that `put` fills in."""
        shape = len(layers), len(metrics)
        return cls(layers, metrics, np.full(shape, np.nan), np.full(shape, np.nan), [{} for _ in metrics])

    @classmethod
    def joined(cls, parts: Sequence[Measured], metrics: list[str]) -> Measured:
        """One below the other."""
        layers = [layer for part in parts for layer in part.layers]
        reasons: list[dict[int, str]] = [{} for _ in metrics]
        first = 0
        for part in parts:
            for column, more in zip(reasons, part.reasons, strict=True):
                column.update((first + row, reason) for row, reason in more.items())
            first += len(part)
        nothing = np.empty((0, len(metrics)))
        values = np.concatenate([nothing, *(part.values for part in parts)])
        residuals = np.concatenate([nothing, *(part.residuals for part in parts)])
        return cls(layers, metrics, values, residuals, reasons)

    def put(self, rows: Sequence[int], columns: Sequence[Values]) -> None:
        """Fill in all metrics of these layers."""
        self.values[rows] = np.array([values.value for values in columns]).T
        self.residuals[rows] = np.array([values.residual for values in columns]).T
        for reasons, values in zip(self.reasons, columns, strict=True):
            if values.reasons:
                reasons.update((rows[place], reason) for place, reason in values.reasons.items())

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Record]:
        for row, (layer, values, residuals) in enumerate(
            zip(self.layers, self.values.tolist(), self.residuals.tolist(), strict=True)
        ):
            reasons = [column.get(row) for column in self.reasons]
            yield from zip(repeat(layer), self.metrics, values, residuals, reasons)

    def reasons_by_layer(self) -> list[str]:
        """Each reason once, with the metrics it holds for."""
        found: list[dict[str, list[str]]] = [{} for _ in self.layers]
        for metric, column in zip(self.metrics, self.reasons, strict=True):
            for row, reason in column.items():
                found[row].setdefault(reason, []).append(metric)
        return [self._sentence(by_reason) if by_reason else "" for by_reason in found]

    def _sentence(self, by_reason: dict[str, list[str]]) -> str:
        every = len(self.metrics)
        return "; ".join(
            reason if len(names) == every else f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()
        )
