"""Sums, means and extrema along axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.model_graph.operators import Pattern
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")

_REDUCTIONS = (
    "sum", "mean", "amax", "amin", "max", "min", "median", "nanmedian", "var", "std", "var_mean", "std_mean", "prod",
    "logsumexp", "nansum", "linalg_vector_norm", "norm", "aminmax",
)  # fmt: skip


def _reduce(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    several = isinstance(results, (tuple, list))
    if len(args) > 1 and isinstance(args[1], torch.Tensor):  # max and min of two tensors
        live = [reading.units(one) for one in args[:2] if reading.is_live(one)]
        units = reading.builder.product(live) if len(live) == 2 else live[0]
        reading.set_units(results, np.broadcast_to(units, tuple(results.shape)))
        return
    units = reading.units(args[0])
    axes = _axes(args, kwargs, units.ndim)
    rest = [axis for axis in range(units.ndim) if axis not in axes]
    shape = [units.shape[axis] for axis in rest]
    terms = units.transpose(*rest, *axes).reshape(*shape, -1)
    reduced = reading.builder.reduce(terms)
    for result in results if several else (results,):
        if result.is_floating_point():
            reading.set_units(result, reduced)


def _axes(args: Sequence[Any], kwargs: Mapping[str, Any], dimensions: int) -> list[int]:
    chosen = kwargs.get("dim")
    if chosen is None:
        lists = [one for one in args[1:] if isinstance(one, (list, tuple))]
        whole = [one for one in args[1:2] if isinstance(one, int) and not isinstance(one, bool)]
        chosen = lists[0] if lists else whole[0] if whole else None
    if chosen is None or chosen == []:
        return list(range(dimensions))
    return [axis % dimensions for axis in ([chosen] if isinstance(chosen, int) else chosen)]


def _running(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """A sum over all before: a triangle of edges along the axis."""
    units = np.moveaxis(reading.units(args[0]), args[1], -1)
    size = units.shape[-1]
    triangle = Pattern(np.triu(np.ones((1, size, size), dtype=bool)))
    targets = reading.builder.contract(units.reshape(-1, 1, size), triangle).reshape(units.shape)
    reading.set_units(results, np.moveaxis(targets, -1, args[1]))


def _constant(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """A new tensor like another one: only the shape is taken."""


RULES = {
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("cumsum", "logcumsumexp"), _running),
    **dict.fromkeys(
        (
            "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones",
            "new_full", "new_empty", "new_empty_strided", "transpose", "t", "squeeze", "unsqueeze", "swapaxes",
            "swapdims", "_local_scalar_dense", "_assert_async", "_assert_tensor_metadata",
        ),
        _constant,
    ),
}  # fmt: skip
"""Rules by the name of the operation. Views come here only when they change their own tensor, which moves nothing."""
