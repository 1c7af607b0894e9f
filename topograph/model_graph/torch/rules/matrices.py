"""Products of matrices: with a weight they are a layer, of two values that depend on the input a pairing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.model_graph.references import Ids
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")


def one_group(values: Any) -> Any:
    """Inputs × outputs of a right factor as one group."""
    return values[None]


def one_group_turned(values: Any) -> Any:
    """A left factor, outputs × inputs, as one group."""
    return values.T[None]


def as_groups(values: Any) -> Any:
    """A stack of right factors, each a group."""
    return values


def turned_groups(values: Any) -> Any:
    """A stack of left factors, each a group."""
    return values.transpose(0, 2, 1)


def matrix_product(reading: ModelReading, first: Any, second: Any) -> Ids:
    """Units of ``first @ second``, both of two dimensions."""
    if reading.is_live(first) and reading.is_live(second):
        return np.asarray(reading.builder.pair(reading.units(first)[None], reading.units(second)[None])[0])
    if reading.is_live(first):
        pattern = reading.weights.pattern(second, one_group)
        return reading.builder.contract(reading.units(first)[:, None, :], pattern)[:, 0, :]
    if not reading.is_live(second):
        return np.zeros((first.shape[0], second.shape[1]), dtype=np.int64)
    pattern = reading.weights.pattern(first, one_group_turned)
    return reading.builder.contract(reading.units(second).T[:, None, :], pattern)[:, 0, :].T


def batch_product(reading: ModelReading, first: Any, second: Any) -> Ids:
    """Units of ``first @ second``, stacks of matrices."""
    if reading.is_live(first) and reading.is_live(second):
        return reading.builder.pair(reading.units(first), reading.units(second))
    if reading.is_live(first):
        pattern = reading.weights.pattern(second, as_groups)
        units = reading.builder.contract(reading.units(first).transpose(1, 0, 2), pattern)
        return units.transpose(1, 0, 2)
    if not reading.is_live(second):
        return np.zeros((first.shape[0], first.shape[1], second.shape[2]), dtype=np.int64)
    pattern = reading.weights.pattern(first, turned_groups)
    return reading.builder.contract(reading.units(second).transpose(2, 0, 1), pattern).transpose(1, 2, 0)


def _mm(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    reading.set_units(results, matrix_product(reading, args[0], args[1]))


def _bmm(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    reading.set_units(results, batch_product(reading, args[0], args[1]))


def _mv(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    reading.set_units(results, matrix_product(reading, args[0], args[1][:, None])[:, 0])


def _dot(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    reading.set_units(results, matrix_product(reading, args[0][None], args[1][:, None])[0, 0])


def _linear(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    values, weight = args[0], args[1]
    units = matrix_product(reading, values.reshape(-1, values.shape[-1]), weight.t())
    reading.set_units(results, units.reshape(tuple(results.shape)))


def _plus(product: Any) -> Any:
    """``bias + first @ second``."""

    def rule(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        bias, first, second = args[:3]
        units = product(reading, first, second)
        if reading.is_live(bias):
            units = reading.builder.sum([reading.units(bias), units])
        reading.set_units(results, np.broadcast_to(units, tuple(results.shape)))

    return rule


def _add_mv(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    units = matrix_product(reading, args[1], args[2][:, None])[:, 0]
    if reading.is_live(args[0]):
        units = reading.builder.sum([reading.units(args[0]), units])
    reading.set_units(results, units)


RULES = {
    "mm": _mm,
    "bmm": _bmm,
    "mv": _mv,
    "dot": _dot,
    "linear": _linear,
    "addmm": _plus(matrix_product),
    "baddbmm": _plus(batch_product),
    "addmv": _add_mv,
}
"""Rules by the name of the operation."""
